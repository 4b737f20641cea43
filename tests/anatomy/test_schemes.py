import pytest

from wirsung.anatomy.mapping import map_scheme
from wirsung.anatomy.schemes import scheme, scheme_names
from wirsung.anatomy.structures import structures
from wirsung.errors import ConfigError, LabelError


def test_the_built_in_schemes_are_known_by_name():
    assert {"pants-28", "pants-2", "pants-xl", "msd-pancreas", "panorama-6", "totalsegmentator-v2"} <= set(
        scheme_names()
    )


@pytest.mark.parametrize("name", scheme_names())
def test_every_built_in_scheme_is_sound(name):
    found = scheme(name)
    assert found.name == name
    assert len(set(found.values)) == len(found.classes)
    assert min(found.values) >= 1
    for item in found.classes:
        assert found.value(item.name) == item.value
        assert found.name_of(item.value) == item.name


@pytest.mark.parametrize("name", ["pants-28", "pants-xl"])
def test_the_official_scheme_has_the_official_values(name):
    found = scheme(name)
    assert {item.name: item.value for item in found.classes} == {
        item.name: item.value for item in structures().values()
    }


def test_totalsegmentator_has_its_117_classes_in_order():
    found = scheme("totalsegmentator-v2")
    assert found.values == tuple(range(1, 118))
    for name, value in {
        "spleen": 1,
        "pancreas": 7,
        "duodenum": 19,
        "aorta": 52,
        "costal_cartilages": 117,
    }.items():
        assert found.value(name) == value


def test_the_whole_pancreas_is_the_sum_of_its_parts():
    assert scheme("pants-28").values_within("pancreas") == (17, 18, 19, 20, 21, 28)
    assert scheme("pants-2").values_within("pancreas") == (1, 2)
    assert scheme("panorama-6").values_within("pancreas") == (1, 4, 5)


def test_a_structure_that_shares_its_class_cannot_be_told():
    assert scheme("panorama-6").values_within("aorta") == ()
    assert "aorta" not in scheme("panorama-6").structure_names()
    assert "veins" in scheme("panorama-6").structure_names()


def test_a_structure_falls_to_the_class_of_what_contains_it():
    assert scheme("pants-2").class_of("pancreatic_duct").name == "pancreas"
    assert scheme("pants-2").class_of("liver") is None


def test_a_structure_divided_among_classes_has_no_one_class():
    lobes = scheme("totalsegmentator-v2")
    assert lobes.values_within("lung_left") == (10, 11)
    with pytest.raises(
        LabelError, match="divides lung_left among lung_upper_lobe_left, lung_lower_lobe_left"
    ):
        lobes.class_of("lung_left")
    with pytest.raises(LabelError, match="divides lung_left"):
        map_scheme(scheme("pants-28"), lobes)


def test_an_unknown_scheme_lists_the_near_ones():
    with pytest.raises(ConfigError, match=r"no scheme named 'pants28'\. Did you mean pants-28"):
        scheme("pants28")
    with pytest.raises(ConfigError, match="no scheme named"):
        scheme("absent.toml")


def test_an_unknown_class_or_value_lists_what_there_is():
    with pytest.raises(
        LabelError, match=r"has no class 'pancreatic_lesions'\. Did you mean pancreatic_lesion"
    ):
        scheme("pants-2").value("pancreatic_lesions")
    with pytest.raises(LabelError, match="has no value 3; it has 1, 2"):
        scheme("pants-2").name_of(3)


@pytest.fixture
def own(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return write


EXTENDED = """
schema = 1
name = "own-31"
extends = "pants-xl"
classes = [
    { value = 40, name = "esophagus" },
    { value = 41, name = "lymph_node" },
    { value = 300, name = "hepatic_vessel" },
]
"""


def test_a_file_extends_the_registry_with_more_structures(own):
    found = scheme(own(EXTENDED))
    assert len(found.classes) == 31
    assert found.values[-1] == 300
    assert found.value("pancreatic_lesion") == 28
    assert found.value("esophagus") == 40
    assert found.values_within("pancreas") == (17, 18, 19, 20, 21, 28)
    assert found.values_within("lymph_node") == (41,)


def test_what_a_file_adds_is_dropped_on_the_way_to_the_official_scheme(own):
    mapping = map_scheme(scheme(own(EXTENDED)), scheme("pants-28"))
    assert mapping.dropped == ("esophagus", "lymph_node", "hepatic_vessel")
    assert mapping.table[300] == 0
    assert mapping.table[28] == 28


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("name = ", ConfigError, "is not TOML"),
        ('name = "a"', ConfigError, "distinct, at least 1"),
        ('name = "a"\nclasses = [{ value = 1 }]', ConfigError, "'name' is missing or wrong"),
        ('name = "a"\nclasses = [{ value = "x", name = "liver" }]', ConfigError, "is missing or wrong"),
        ('classes = [{ value = 1, name = "liver" }]', ConfigError, "'name' is missing or wrong"),
        ('name = "a"\nclasses = [{ value = 0, name = "liver" }]', ConfigError, "at least 1"),
        (
            'name = "a"\nclasses = [{ value = 1, name = "liver" }, { value = 1, name = "spleen" }]',
            ConfigError,
            "distinct",
        ),
        (
            'name = "a"\nclasses = [{ value = 1, name = "liver" }, { value = 2, name = "liver" }]',
            ConfigError,
            "the same name",
        ),
        ('name = "a"\nclasses = [{ value = 1, name = "livr" }]', LabelError, "Did you mean liver"),
        (
            'name = "a"\nextends = "pants-xl"\nclasses = [{ value = 28, name = "cyst" }]',
            ConfigError,
            "distinct",
        ),
        ('name = "a"\nextends = "pants-lx"\nclasses = []', ConfigError, "Did you mean pants-xl"),
        ('name = "a"\nclasses = [{ value = 70000, name = "liver" }]', ConfigError, "at most 65535"),
        ('name = "a"\nclases = []', ConfigError, "unknown key 'clases'"),
        (
            'name = "a"\nclasses = [{ value = 1, name = "liver", colour = "red" }]',
            ConfigError,
            "unknown key 'colour'",
        ),
    ],
)
def test_a_file_that_is_no_scheme_is_refused_with_the_reason(text, error, reason, own):
    with pytest.raises(error, match=reason):
        scheme(own(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            'name = "a"\nexact = true\nclasses = [{ value = 1, name = "x", structures = ["liver"] },'
            ' { value = 2, name = "y", structures = ["liver"] }]',
            "says exact, but two classes stand for liver",
        ),
        (
            'name = "a"\nforeign = true\ndropped = []\nclasses = [{ value = 1, name = "bone" }]',
            "bone must be in dropped just where a class stands for no structure",
        ),
        (
            'name = "a"\ndropped = ["liver"]\nclasses = [{ value = 1, name = "liver" }]',
            "liver must be in dropped just where",
        ),
        (
            'name = "a"\nclasses = [{ value = 1, name = "liver", structures = ["spleen"] },'
            ' { value = 2, name = "spleen", structures = ["liver"] }]',
            "the classes liver and spleen stand for each other, in a circle",
        ),
        (
            'name = "a"\nclasses = [{ value = 1, name = "liver", structures = ["spleen"] },'
            ' { value = 2, name = "spleen", structures = ["aorta"] },'
            ' { value = 3, name = "aorta", structures = ["liver"] }]',
            "aorta and liver and spleen stand for each other",
        ),
    ],
)
def test_a_scheme_that_loses_more_than_it_says_is_refused(text, reason, own):
    with pytest.raises(LabelError, match=reason):
        scheme(own(text))


def test_a_scheme_may_say_what_it_drops(own):
    found = scheme(
        own('name = "a"\nforeign = true\ndropped = ["bone"]\nclasses = [{ value = 1, name = "bone" }]')
    )
    assert found.dropped == found.foreign == ("bone",)


def test_the_masks_of_a_scheme_are_its_structures_and_its_own_classes():
    lobes = scheme("totalsegmentator-v2")
    assert lobes.mask_values("lung_left") == (10, 11)
    assert lobes.mask_values("lung_upper_lobe_left") == (10,)
    assert "gallbladder" not in lobes.mask_names(), "it is gall_bladder"
    assert scheme("panorama-6").mask_values("arteries") == (3,)
    with pytest.raises(LabelError, match=r"no mask 'aorta'\. "):
        scheme("panorama-6").mask_values("aorta")
