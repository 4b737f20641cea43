import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.anatomy.mapping import map_scheme
from wirsung.anatomy.schemes import scheme, scheme_names
from wirsung.datasets.foreign_labels import (
    LABEL_MAP_FILE,
    LabelStyle,
    codes_in,
    drawn_in,
    mask_in,
    read_labels,
    translate,
    write_drawn,
)
from wirsung.datasets.painting import painting_order
from wirsung.errors import GeometryError, LabelError, ManifestError
from wirsung.imaging.volume import Volume


def _save(path, voxels, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(
        nibabel.Nifti1Image(np.asarray(voxels, dtype=np.uint8), np.eye(4) if affine is None else affine), path
    )
    return path


def _whole(source, target):
    """The mapping between two schemes; None where a class would be taken apart."""
    try:
        return map_scheme(scheme(source), scheme(target))
    except LabelError:
        return None


PAIRS = [(one, other) for one in scheme_names() for other in scheme_names() if _whole(one, other) is not None]


@given(st.data())
def test_translating_is_what_the_mapping_says_where_there_is_one(data):
    source, target = data.draw(st.sampled_from(PAIRS))
    mapping = map_scheme(scheme(source), scheme(target))
    labels = data.draw(arrays(np.uint8, (2, 2, 3), elements=st.sampled_from([0, *scheme(source).values])))
    found = translate(Volume(labels, np.eye(4)), scheme(source), scheme(target))
    if found is None:
        assert not any(mapping.table.values())
    else:
        own = {item.value: item.value for item in scheme(source).classes if item in scheme(target).classes}
        expected = mapping.apply(labels)
        for value, ours in own.items():
            expected[labels == value] = ours
        np.testing.assert_array_equal(found.voxels, expected)


@given(st.data())
def test_codes_hold_every_mask_of_the_label_map(data):
    name = data.draw(
        st.sampled_from(["lits", "kits", "word", "panorama-6", "pants-28", "totalsegmentator-v2"])
    )
    style = LabelStyle(name)
    labels = data.draw(arrays(np.uint8, (3, 2, 2), elements=st.sampled_from([0, *style.scheme.values])))
    volume = Volume(labels, np.eye(4))
    names = painting_order(style.names)
    codes = codes_in(volume, style, names)
    assert codes.structures == names
    for mask in names:
        np.testing.assert_array_equal(codes.mask(mask).voxels, mask_in(volume, style, mask).voxels)


def test_both_kidneys_in_one_become_neither():
    labels = Volume(np.array([[[0, 1, 2, 3, 4]]], dtype=np.uint8), np.eye(4))
    found = translate(labels, scheme("abdomenct-1k"), scheme("pants-28"))
    assert found.voxels.ravel().tolist() == [0, 14, 0, 24, 17]


def test_what_has_no_counterpart_at_all_is_none():
    labels = Volume(np.array([[[0, 1]]], dtype=np.uint8), np.eye(4))
    assert translate(labels, scheme("chaos-ct"), scheme("pancreas")) is None


def test_an_unknown_value_is_named(tmp_path):
    _save(tmp_path / "case" / LABEL_MAP_FILE, [[[0, 1, 7]]])
    image = _save(tmp_path / "ct.nii.gz", [[[0, 0, 0]]])
    with pytest.raises(
        LabelError, match=r"label_map\.nii\.gz: it holds the values \[7\], which msd-pancreas has not"
    ):
        read_labels(tmp_path / "case", LabelStyle("msd-pancreas"), image)


def test_labels_lie_where_their_image_does_only_where_that_is_said(tmp_path):
    turned = np.diag([-1.0, -1.0, 2.0, 1.0])
    _save(tmp_path / "case" / LABEL_MAP_FILE, [[[0, 1]]], turned)
    image = _save(tmp_path / "ct.nii.gz", [[[0, 0]]])
    own = read_labels(tmp_path / "case", LabelStyle("panseg"), image)
    assert np.array_equal(own.affine, turned)
    theirs = read_labels(tmp_path / "case", LabelStyle("panseg", "image"), image)
    assert np.array_equal(theirs.affine, np.eye(4))
    assert np.array_equal(theirs.voxels, own.voxels)
    _save(image, [[[0, 0, 0]]])
    with pytest.raises(
        GeometryError, match=r"labels have shape \(1, 1, 2\), but ct\.nii\.gz has \(1, 1, 3\)"
    ):
        read_labels(tmp_path / "case", LabelStyle("panseg", "image"), image)


def test_what_a_case_lacks_is_not_drawn(tmp_path):
    style = LabelStyle("flare23")
    assert drawn_in(tmp_path, style) == ()
    _save(tmp_path / LABEL_MAP_FILE, [[[4]]])
    assert drawn_in(tmp_path, style) == style.names
    write_drawn(tmp_path, ["pancreas"])
    assert drawn_in(tmp_path, style) == ("pancreas",)


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"schema": 1, "drawn": ["liver", "nose"]}', '{"schema": 2, "drawn": []}']
)
def test_a_damaged_list_is_refused(content, tmp_path):
    _save(tmp_path / LABEL_MAP_FILE, [[[4]]])
    (tmp_path / "drawn.json").write_text(content)
    with pytest.raises(ManifestError, match=r"drawn\.json"):
        drawn_in(tmp_path, LabelStyle("flare23"))
