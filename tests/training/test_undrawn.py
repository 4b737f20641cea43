"""Classes that some training cases have no labels of."""

import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.annotated import annotated_structures
from wirsung.datasets.layout import Dataset
from wirsung.errors import LabelError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.training.classes import choose_classes
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings
from wirsung.training.undrawn import is_drawn, refuse_undrawn


def save(path, values):
    voxels = np.zeros((4, 4, 4), np.uint8)
    voxels[: len(values), 0, 0] = values
    write_nifti(path, Volume(voxels, np.eye(4)))


@pytest.fixture
def flare(imported):
    """FLARE23, where each case has its own choice of organs: pancreas in both, a tumour in one."""

    def build(raw):
        for number, values in enumerate(([4, 14], [4])):
            save(raw / f"imagesTr2200/FLARE23_000{number}_0000.nii.gz", [5, 6, 7])
            save(raw / f"labelsTr2200/FLARE23_000{number}.nii.gz", values)

    return imported("flare23", build)


def test_a_class_that_nobody_drew_is_refused_and_a_scheme_that_fits_is_named(imported, tmp_path):
    dataset = imported("msd-pancreas")
    with pytest.raises(LabelError) as refused:
        train(TrainSettings(dataset, tmp_path / "model", fold="all", preset="demo"))
    assert str(refused.value) == (
        "Of pants-28, nobody drew adrenal_gland_left, adrenal_gland_right, aorta, bladder, celiac_artery and "
        "21 more in the only case: there it would be learnt as background. Choose a scheme that fits, such "
        "as --scheme msd-pancreas."
    )
    assert not (tmp_path / "model").exists()


def test_a_class_that_only_some_drew_is_refused_with_the_cases_that_lack_it(flare, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        'schema = 1\nname = "own"\nforeign = true\n'
        'classes = [{value = 1, name = "pancreas"}, {value = 2, name = "tumour"}]'
    )
    with pytest.raises(LabelError) as refused:
        train(TrainSettings(flare, tmp_path / "model", scheme=str(own), fold="all", preset="demo"))
    assert str(refused.value) == (
        "Of own, nobody drew tumour in 1 of 2 cases (FLARE23_0001): there it would be learnt as background. "
        "Choose a scheme that fits, such as --scheme pancreas. Or leave the 1 case out of the dataset."
    )


def test_a_scheme_that_every_case_has_whole_is_learnt_whole(flare):
    dataset = Dataset.open(flare)
    drawn = annotated_structures(dataset)
    assert drawn["FLARE23_0000"] == {"pancreas", "tumour"}
    chosen = choose_classes(scheme("pancreas"), dataset.cases, drawn)
    assert chosen.labels == {"background": 0, "pancreas": 1}


@pytest.mark.parametrize("source", ["msd-pancreas", "amos", "word", "kits", "abdomenct-1k", "panorama"])
def test_the_scheme_of_a_sources_labels_fits_its_cases(imported, source):
    dataset = Dataset.open(imported(source))
    cases = [case for case in dataset.cases if case.has_labels]
    own = scheme(dataset.description.label_scheme)
    chosen = choose_classes(own, cases, annotated_structures(dataset))
    assert list(chosen.labels)[1:] == [item.name for item in own.classes]


def test_cases_that_share_no_scheme_are_sent_to_one_of_their_own(flare):
    cases = Dataset.open(flare).cases
    drawn = dict(zip((case.id for case in cases), ({"liver"}, {"spleen"}), strict=True))
    with pytest.raises(
        LabelError, match=r"liver in 1 of 2 cases.*No built-in scheme fits all cases: train on"
    ):
        refuse_undrawn(scheme("demo-7"), cases, drawn)


@pytest.mark.parametrize(
    ("scheme_name", "class_name", "drawn", "expected"),
    [
        ("panorama-6", "arteries", {"aorta"}, False),
        ("panorama-6", "arteries", {"aorta", "celiac_artery", "superior_mesenteric_artery"}, True),
        ("panorama-6", "arteries", {"arteries"}, True),
        ("pancreas", "pancreas", {"pancreas_head", "pancreas_body"}, False),
        ("pancreas", "pancreas", {"pancreas_head", "pancreas_body", "pancreas_tail"}, True),
        ("msd-pancreas", "cancer", {"pancreas"}, False),
        ("totalsegmentator-v2", "lung_upper_lobe_left", {"lung_left"}, False),
        ("totalsegmentator-v2", "lung_upper_lobe_left", {"lung_upper_lobe_left"}, True),
    ],
)
def test_a_class_counts_as_drawn_only_whole(scheme_name, class_name, drawn, expected):
    chosen = scheme(scheme_name)
    (item,) = [item for item in chosen.classes if item.name == class_name]
    assert is_drawn(item, chosen, drawn) is expected
