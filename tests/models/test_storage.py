"""Storage, read back by nnU-Net's own data set."""

import numpy as np
import pytest

from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import preprocess
from wirsung.models.storage import read_key, write_case, write_key


@pytest.fixture
def made(plans_content):
    random = np.random.default_rng(0)
    image = random.normal(100, 50, (1, 20, 24, 28))
    labels = np.zeros((20, 24, 28), np.int16)
    labels[5:9, 6:12, 7:20] = 1
    plans = parse_plans(plans_content)
    configuration = plans.configuration("3d_fullres")
    return preprocess(image, (2.0, 1.5, 1.5), plans, configuration, labels), configuration


def test_nnunet_reads_what_was_written(tmp_path, made):
    from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class

    case, configuration = made
    write_case(tmp_path / "set", "case-1", case, configuration, (1, 2))
    dataset = infer_dataset_class(str(tmp_path / "set"))(str(tmp_path / "set"), ["case-1"])
    image, labels, _, properties = dataset.load_case("case-1")
    np.testing.assert_array_equal(image[:], case.image)
    np.testing.assert_array_equal(labels[:][0], case.labels)
    assert len(properties["class_locations"][1]) == (case.labels == 1).sum()
    assert len(properties["class_locations"][2]) == 0


def test_the_files_are_cut_and_coded_as_nnunets(tmp_path, made):
    """All but the effort, which a reader does not notice."""
    import blosc2
    from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

    case, configuration = made
    write_case(tmp_path / "set", "ours", case, configuration, (1,))
    cuts = {}
    for suffix, itemsize in (("", 4), ("_seg", 2)):
        blocks, chunks = comp_blosc2_params(case.image.shape, configuration.patch_size, itemsize)
        cuts |= {f"blocks{suffix}": blocks, f"chunks{suffix}": chunks}
    nnUNetDatasetBlosc2.save_case(case.image, case.labels[None], {}, str(tmp_path / "set" / "theirs"), **cuts)
    for suffix in ("", "_seg"):
        ours, theirs = (
            blosc2.open(str(tmp_path / "set" / f"{who}{suffix}.b2nd")) for who in ("ours", "theirs")
        )
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert (ours.chunks, ours.blocks) == (theirs.chunks, theirs.blocks)
        assert ours.schunk.cparams.codec == theirs.schunk.cparams.codec


def test_a_case_can_be_written_again_and_leaves_nothing_else(tmp_path, made):
    case, configuration = made
    for _ in range(2):
        write_case(tmp_path / "set", "case-1", case, configuration, (1,))
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"case-1.b2nd", "case-1_seg.b2nd", "case-1.pkl"}


def test_keys_say_what_a_case_was_made_from(tmp_path):
    assert read_key(tmp_path / "set", "case-1") is None
    write_key(tmp_path / "set", "case-1", "abc")
    assert read_key(tmp_path / "set", "case-1") == "abc"
    assert not (tmp_path / "set").exists()


def test_a_case_without_labels_is_not_for_training(tmp_path, made, plans_content):
    case, configuration = made
    bare = type(case)(case.image, None, case.placement)
    with pytest.raises(ValueError, match="only a case with labels"):
        write_case(tmp_path, "case-1", bare, configuration, (1,))
