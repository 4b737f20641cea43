import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import structures
from wirsung.curation.region_names import shown_name, structure_of
from wirsung.errors import LabelError
from wirsung.imaging.dicom_regions import Region

PANTS = scheme("pants-28")


def structure(name, code="", side="", labels=PANTS):
    return structure_of(Region(7, name, code, side), labels, case="a")


@pytest.mark.parametrize("name", list(structures()))
def test_every_structure_is_known_by_its_own_name_in_any_spelling(name):
    assert structure(name) == name
    assert structure(f" {name.replace('_', ' ').title()} ") == name
    assert structure(name.replace("_", "-").upper()) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Kidney_L", "kidney_left"),
        ("Lt Kidney", "kidney_left"),
        ("R lung", "lung_right"),
        ("Glnd_Adrenal_R", "adrenal_gland_right"),
        ("A_Celiac", "celiac_artery"),
        ("A_Mesenteric_S", "superior_mesenteric_artery"),
        ("V_Venacava_I", "postcava"),
        ("BileDuct_Common", "common_bile_duct"),
        ("Gallbladder", "gall_bladder"),
        ("Pancreatic lesion 2", "pancreatic_lesion"),
    ],
)
def test_planning_systems_names_are_known(name, expected):
    assert structure(name) == expected


@pytest.mark.parametrize("name", ["BODY", "PTV 50", "Heart", "", "1", "vertebrae_L1", "Dr. Who"])
def test_what_is_no_structure_is_none(name):
    assert structure(name) is None


@pytest.mark.parametrize("name", ["pancraes", "livr", "Gall-blader", "pancreas_haed", "liver2", "spleen 2"])
def test_a_slip_of_the_pen_is_an_error_that_does_not_repeat_it(name):
    with pytest.raises(LabelError, match="Case a: the name of region 7 is nearly, but not quite") as caught:
        structure(name)
    assert name not in str(caught.value)


def test_an_organ_without_its_side_is_an_error():
    with pytest.raises(LabelError, match="nearly, but not quite, one of kidney_"):
        structure("kidney")


def test_a_code_decides_with_its_side_or_the_names():
    assert structure("x", "15776009") == "pancreas"
    assert structure("x", "64033007", "right") == "kidney_right"
    assert structure("Niere left", "64033007") == "kidney_left"
    assert structure("x", "64033007") is None
    assert structure("x", "113345001") is None


def test_a_code_that_contradicts_the_name_is_an_error():
    with pytest.raises(LabelError, match="region 7 is pancreas by its code and liver by its name"):
        structure("Liver", "15776009")


def test_the_names_of_the_labels_scheme_are_known():
    labels = scheme("totalsegmentator-v2")
    assert structure("inferior_vena_cava", labels=labels) == "postcava"
    assert structure("urinary_bladder", labels=labels) == "bladder"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("PTV liver 2", "ptv_liver_2"),
        ("Mustermann liver", "region 7"),
        ("19610312", "region 7"),
        ("", "region 7"),
    ],
)
def test_a_name_is_shown_only_where_all_its_words_are_known(name, shown):
    assert shown_name(Region(7, name)) == shown
