import importlib.util
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless, RLELossless

from wirsung.errors import GeometryError, ImageError, LabelError
from wirsung.imaging.dicom import read_series
from wirsung.imaging.dicom_seg import read_segmentation, segment_mask, segment_volume
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume

_SPEC = importlib.util.spec_from_file_location("segmentations", Path(__file__).with_name("segmentations.py"))
seg = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(seg)

ROWS, COLUMNS = 34, 38


@pytest.fixture
def scan(dicom_phantom):
    """A folder of twelve slices, as read by us and by pydicom."""
    folder = dicom_phantom.write(seg.complete)
    return read_series(folder).volume, seg.slices_of(folder)


def masks(count, overlap=True, seed=5):
    """Random masks, slice, row, column, segment; the first and the last slices are empty."""
    rng = np.random.default_rng(seed)
    array = rng.random((12, ROWS, COLUMNS, count)) < 0.2
    array[[0, -1]] = False
    if not overlap:
        array &= np.cumsum(array, axis=-1) == 1
    return array


def ours(array):
    """A mask of slice, row, column as the voxels of the image as read."""
    return array.transpose(2, 1, 0)


def test_overlapping_segments_come_back_equal(scan, tmp_path):
    image, slices = scan
    array = masks(3)
    assert (array.sum(axis=-1) > 1).any()
    labels = [seg.described(number + 1, name) for number, name in enumerate(("a", "b", "c"))]
    found = read_segmentation(seg.write_seg(tmp_path / "seg.dcm", slices, array.astype(np.uint8), labels))
    assert [(region.number, region.name) for region in found.regions] == [(1, "a"), (2, "b"), (3, "c")]
    assert len(found.frames) == 30  # the empty slices are left out
    for number in range(3):
        assert np.array_equal(segment_mask(found, [number + 1], image), ours(array[..., number]))
    assert np.array_equal(segment_mask(found, [1, 3], image), ours(array[..., 0] | array[..., 2]))


def test_frames_may_come_in_any_order(scan, tmp_path):
    image, slices = scan
    array = masks(1)
    path = seg.write_seg(tmp_path / "seg.dcm", slices, array.astype(np.uint8), [seg.described(1, "a")])
    ds = pydicom.dcmread(path)
    frames = ds.pixel_array
    order = np.random.default_rng(2).permutation(len(frames))
    ds.PerFrameFunctionalGroupsSequence = [ds.PerFrameFunctionalGroupsSequence[index] for index in order]
    ds.PixelData = np.packbits(frames[order].ravel(), bitorder="little").tobytes()
    ds.save_as(path)
    assert np.array_equal(segment_mask(read_segmentation(path), [1], image), ours(array[..., 0]))


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless])
def test_a_label_map_is_read_with_and_without_compression(scan, tmp_path, syntax):
    image, slices = scan
    array = masks(2, overlap=False)
    values = (array * [1, 2]).sum(axis=-1).astype(np.uint8)
    labels = [seg.described(1, "a"), seg.described(2, "b")]
    options = {} if syntax is None else {"transfer_syntax_uid": syntax}
    found = read_segmentation(
        seg.write_seg(tmp_path / "seg.dcm", slices, values, labels, "LABELMAP", **options)
    )
    assert found.form == "LABELMAP"
    for number in (1, 2):
        assert np.array_equal(segment_mask(found, [number], image), ours(values == number))


def test_of_a_fraction_half_and_more_is_inside(scan, tmp_path):
    image, slices = scan
    array = np.random.default_rng(1).random((12, ROWS, COLUMNS))
    path = seg.write_seg(
        tmp_path / "seg.dcm", slices, array, [seg.described(1, "a")], "FRACTIONAL", max_fractional_value=200
    )
    found = read_segmentation(path)
    assert (found.form, found.half) == ("FRACTIONAL", 100)
    assert np.array_equal(segment_mask(found, [1], image), ours(np.rint(array * 200) >= 100))


def test_codes_and_sides_are_read(scan, tmp_path):
    _, slices = scan
    label = seg.described(1, "x", seg.snomed("64033007"))
    item = label.SegmentedPropertyTypeCodeSequence[0]
    item.SegmentedPropertyTypeModifierCodeSequence = [seg.snomed("7771000", "Left")]
    array = masks(1).astype(np.uint8)
    (region,) = read_segmentation(seg.write_seg(tmp_path / "seg.dcm", slices, array, [label])).regions
    assert (region.code, region.side) == ("64033007", "left")
    assert "x'" not in repr(region)


@pytest.mark.parametrize("codes", ALL_CODES[::5])
def test_the_image_may_lie_along_any_axes(scan, tmp_path, codes):
    image, slices = scan
    array = masks(1)
    path = seg.write_seg(tmp_path / "seg.dcm", slices, array.astype(np.uint8), [seg.described(1, "a")])
    expected = reorient(image.with_voxels(ours(array[..., 0])), codes)
    assert np.array_equal(segment_mask(read_segmentation(path), [1], reorient(image, codes)), expected.voxels)


def test_an_oblique_segmentation_comes_back_equal(dicom_phantom, tmp_path):
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    dicom_phantom.row, dicom_phantom.column = tuple(turn[0]), tuple(turn[1])
    folder = dicom_phantom.write(seg.complete)
    array = masks(2)
    labels = [seg.described(1, "a"), seg.described(2, "b")]
    path = seg.write_seg(tmp_path / "seg.dcm", seg.slices_of(folder), array.astype(np.uint8), labels)
    mask = segment_mask(read_segmentation(path), [2], read_series(folder).volume)
    assert np.array_equal(mask, ours(array[..., 1]))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda affine: affine[:3, 3].__iadd__([0.0, 0.02, 0.0]), r"lies 0.02 mm beside the image's voxels"),
        (lambda affine: affine[:3, 2].__imul__(1.01), r"lies 0.\d+ mm beside the image's voxels"),
        (lambda affine: affine[:3, 0].__imul__(1.001), r"lies 0.04\d+ mm beside the image's voxels"),
        (lambda affine: affine[:3, 0].__imul__(2), "on pixels of another size or direction"),
    ],
)
def test_a_segmentation_of_another_grid_is_refused_with_the_distance(scan, tmp_path, edit, message):
    image, slices = scan
    array = masks(1).astype(np.uint8)
    found = read_segmentation(seg.write_seg(tmp_path / "s.dcm", slices, array, [seg.described(1, "a")]))
    affine = image.affine.copy()
    edit(affine)
    with pytest.raises(GeometryError, match=message):
        segment_mask(found, [1], Volume(image.voxels, affine))


def test_a_hundredth_of_a_millimetre_is_no_other_grid(scan, tmp_path):
    image, slices = scan
    array = masks(1)
    path = seg.write_seg(tmp_path / "s.dcm", slices, array.astype(np.uint8), [seg.described(1, "a")])
    affine = image.affine.copy()
    affine[0, 3] += 0.009
    mask = segment_mask(read_segmentation(path), [1], Volume(image.voxels, affine))
    assert np.array_equal(mask, ours(array[..., 0]))


def test_voxels_beyond_the_image_are_an_error(scan, tmp_path):
    image, slices = scan
    array = masks(1).astype(np.uint8)
    found = read_segmentation(seg.write_seg(tmp_path / "s.dcm", slices, array, [seg.described(1, "a")]))
    with pytest.raises(LabelError, match=r"marks \d+ voxels beyond the image") as caught:
        segment_mask(found, [1], Volume(image.voxels[..., :6], image.affine))
    assert int(str(caught.value).split()[2]) in [int(plane.sum()) for plane in array[6:11]]


def test_the_segmentation_has_a_grid_of_its_own(scan, tmp_path):
    image, slices = scan
    array = masks(1)
    array[5] = False
    path = seg.write_seg(tmp_path / "s.dcm", slices, array.astype(np.uint8), [seg.described(1, "a")])
    volume = segment_volume(read_segmentation(path), [1])
    assert np.array_equal(volume.voxels, ours(array[1:-1, ..., 0]))
    np.testing.assert_allclose(volume.affine[:3, :3], image.affine[:3, :3], atol=1e-6)
    np.testing.assert_allclose(volume.affine[:3, 3], image.affine[:3] @ [0, 0, 1, 1], atol=1e-6)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_no_truncation_goes_unnoticed(scan, tmp_path, kind):
    _, slices = scan
    labels = [seg.described(1, "a"), seg.described(2, "b")]
    array = masks(2, overlap=False)
    values = array.astype(np.uint8) if kind == "BINARY" else (array * [1, 2]).sum(axis=-1).astype(np.uint8)
    path = seg.write_seg(tmp_path / "s.dcm", slices, values, labels, kind)
    content = path.read_bytes()
    for percent in range(1, 100):
        path.write_bytes(content[: len(content) * percent // 100])
        with pytest.raises(ImageError, match=r"s\.dcm"):
            read_segmentation(path)
    for missing in (1, 2, 7):
        path.write_bytes(content[:-missing])
        with pytest.raises(ImageError, match=r"s\.dcm"):
            read_segmentation(path)


def test_a_frame_without_a_place_or_a_segment_is_refused(scan, tmp_path):
    _, slices = scan
    for name in ("PlanePositionSequence", "SegmentIdentificationSequence"):
        labels = [seg.described(1, "a"), seg.described(2, "b")]
        path = seg.write_seg(tmp_path / "s.dcm", slices, masks(2).astype(np.uint8), labels)
        ds = pydicom.dcmread(path)
        del ds.PerFrameFunctionalGroupsSequence[3][name]
        ds.save_as(path)
        with pytest.raises(ImageError, match="LABELS_DAMAGED, a frame "):
            read_segmentation(path)


def test_an_image_is_no_segmentation(dicom_phantom):
    path = next(dicom_phantom.write().glob("*.dcm"))
    with pytest.raises(ImageError, match="is no DICOM SEG"):
        read_segmentation(path)
