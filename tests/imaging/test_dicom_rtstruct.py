import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from wirsung.errors import GeometryError, ImageError, LabelError
from wirsung.imaging.dicom import read_series
from wirsung.imaging.dicom_rtstruct import read_structure_set, region_mask
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume

_SPEC = importlib.util.spec_from_file_location(
    "structure_sets", Path(__file__).with_name("structure_sets.py")
)
rt = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(rt)

IMAGE = Volume(
    np.zeros((80, 70, 6)), np.array([[-1.2, 0, 0, 50], [0, -1.5, 0, 40], [0, 0, 2.0, -20], [0, 0, 0, 1]])
)
OBLIQUE = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]


def ring(image, k, radius, middle=(40.2, 35.3), points=720, rise=0.0):
    """A circle of that radius in mm on slice k, as points in LPS mm."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    index = np.stack(
        [
            middle[0] + radius / image.spacing_mm[0] * np.cos(angles),
            middle[1] + radius / image.spacing_mm[1] * np.sin(angles),
            np.full(points, k + rise),
        ],
        axis=1,
    )
    return (index @ image.affine[:3, :3].T + image.affine[:3, 3]) * [-1, -1, 1]


def oblique():
    affine = np.eye(4)
    affine[:3, :3] = OBLIQUE * IMAGE.spacing_mm
    affine[:3, 3] = 17.25, -31.5, 8.125
    return Volume(IMAGE.voxels, affine)


@pytest.mark.parametrize("image", [IMAGE, oblique(), reorient(IMAGE, "SPR"), reorient(oblique(), "RAS")])
def test_cylinders_and_tubes_have_their_volume(image, tmp_path):
    drawn_on = IMAGE if image.affine[0, 1] == 0 or image.affine[0, 2] == 0 else oblique()
    slices = range(1, 5)
    contours = {
        "cylinder": [rt.contour(ring(drawn_on, k, 24)) for k in slices],
        "tube": [rt.contour(ring(drawn_on, k, radius)) for k in slices for radius in (24, 12)],
    }
    found = read_structure_set(rt.write(tmp_path / "rt.dcm", contours))
    cylinder, tube = region_mask(found, [1], image), region_mask(found, [2], image)
    volume_mm3 = image.voxel_volume_mm3
    assert cylinder.sum() * volume_mm3 == pytest.approx(np.pi * 24**2 * 8, rel=0.01)
    assert tube.sum() * volume_mm3 == pytest.approx(np.pi * (24**2 - 12**2) * 8, rel=0.01)
    assert not (tube & ~cylinder).any()
    assert np.array_equal(region_mask(found, [1, 2], image), cylinder)
    middle = np.argwhere(cylinder).mean(axis=0) @ image.affine[:3, :3].T + image.affine[:3, 3]
    expected = drawn_on.affine[:3] @ [40.2, 35.3, 2.5, 1]
    np.testing.assert_allclose(middle, expected, atol=0.2)


def test_the_slices_are_those_of_the_contours(tmp_path):
    found = read_structure_set(
        rt.write(tmp_path / "rt.dcm", {"a": [rt.contour(ring(IMAGE, k, 20)) for k in (2, 3)]})
    )
    assert region_mask(found, [1], IMAGE).any(axis=(0, 1)).tolist() == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_contours_a_little_off_the_slice_are_on_it_and_others_are_refused_with_the_distance(tmp_path):
    near = read_structure_set(
        rt.write(tmp_path / "a.dcm", {"a": [rt.contour(ring(IMAGE, 2, 20, rise=0.05))]})
    )
    assert region_mask(near, [1], IMAGE)[..., 2].any()
    far = read_structure_set(rt.write(tmp_path / "b.dcm", {"a": [rt.contour(ring(IMAGE, 2, 20, rise=0.4))]}))
    with pytest.raises(
        GeometryError, match=r"region 1 of b\.dcm lies 0\.8 mm beside the image's nearest slice"
    ):
        region_mask(far, [1], IMAGE)


def test_contours_beyond_the_image_are_refused_with_the_distance(tmp_path):
    above = read_structure_set(rt.write(tmp_path / "a.dcm", {"a": [rt.contour(ring(IMAGE, 8, 20))]}))
    with pytest.raises(GeometryError, match="6 mm beyond the image"):
        region_mask(above, [1], IMAGE)
    beside = read_structure_set(
        rt.write(tmp_path / "b.dcm", {"a": [rt.contour(ring(IMAGE, 2, 20, (5, 35)))]})
    )
    with pytest.raises(GeometryError, match=r"13\.4 mm beyond the image"):
        region_mask(beside, [1], IMAGE)


def test_contours_on_every_second_slice_are_not_filled_in_between(tmp_path):
    found = read_structure_set(
        rt.write(tmp_path / "a.dcm", {"a": [rt.contour(ring(IMAGE, k, 20)) for k in (0, 2, 4)]})
    )
    with pytest.raises(LabelError, match=r"of region 1 of a\.dcm lie on about every 2\. slice only"):
        region_mask(found, [1], IMAGE)


def test_points_lines_and_two_point_contours_enclose_nothing(tmp_path):
    parts = [
        rt.contour(ring(IMAGE, 2, 20)),
        rt.contour(ring(IMAGE, 2, 20, points=2)),
        rt.contour(ring(IMAGE, 3, 20, points=1), "POINT"),
        rt.contour(ring(IMAGE, 3, 20), "OPEN_PLANAR"),
    ]
    found = read_structure_set(rt.write(tmp_path / "a.dcm", {"a": parts, "empty": []}))
    assert (len(found.contours[1]), found.left_out) == (1, {1: 3, 2: 0})
    assert not region_mask(found, [1], IMAGE)[..., 3].any()
    assert not region_mask(found, [2], IMAGE).any()


def test_no_truncation_goes_unnoticed(tmp_path):
    path = rt.write(tmp_path / "a.dcm", {"a": [rt.contour(ring(IMAGE, k, 20)) for k in range(4)]})
    content = path.read_bytes()
    for percent in range(1, 100):
        path.write_bytes(content[: len(content) * percent // 100])
        with pytest.raises(ImageError, match=r"a\.dcm"):
            read_structure_set(path)


def test_a_contour_with_other_points_than_it_says_is_refused(tmp_path):
    ds = rt.structure_set({"a": [rt.contour(ring(IMAGE, 1, 20))]})
    ds.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = 700
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(ImageError, match="a contour has other points than it says"):
        read_structure_set(tmp_path / "a.dcm")


def test_an_image_is_no_structure_set(dicom_phantom):
    with pytest.raises(ImageError, match="is no DICOM RTSTRUCT"):
        read_structure_set(next(dicom_phantom.write().glob("*.dcm")))


def _rt_utils_mask(folder, path, name):
    """The mask as rt-utils reads it: column, row, slice."""
    from rt_utils import RTStructBuilder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = RTStructBuilder.create_from(str(folder), str(path)).get_roi_mask_by_name(name)
    return read.transpose(1, 0, 2)


def _thick_edge(mask):
    """Where a reader that counts the boundary in may differ from one that goes by centres."""
    around = np.ones((3, 3, 1), dtype=bool)
    return ndimage.binary_dilation(mask, around) & ~ndimage.binary_erosion(mask, around, border_value=1)


def test_what_rt_utils_writes_is_read_as_rt_utils_reads_it_up_to_the_edge(dicom_phantom, tmp_path):
    """It draws through the centres of a mask's outermost pixels and counts them in; we count them out."""
    from rt_utils import RTStructBuilder

    def complete(ds, _):
        ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.PatientBirthDate = ds.PatientSex = ""
        ds.StudyID = ds.ReferringPhysicianName = ds.StationName = ds.Manufacturer = ""
        ds.SeriesDescription = ds.PatientAge = ds.InstitutionName = ds.ManufacturerModelName = ""
        pixels = np.frombuffer(ds.PixelData, dtype="<i2").reshape(ds.Rows, ds.Columns)
        # rt-utils takes the spacing of rows for that of columns, so it is right where they are alike.
        ds.PixelData, ds.Columns, ds.PixelSpacing = pixels[:, : ds.Rows].tobytes(), ds.Rows, [1.2, 1.2]

    turn = OBLIQUE
    dicom_phantom.row, dicom_phantom.column = tuple(turn[0]), tuple(turn[1])
    folder = dicom_phantom.write(complete)
    volume = read_series(folder).volume
    i, j, k = np.indices(volume.shape)
    mask = (np.hypot(i - 18, j - 16) < 10) & (np.hypot(i - 18, j - 16) > 4) & (k > 2) & (k < 9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = RTStructBuilder.create_new(dicom_series_path=str(folder))
        builder.add_roi(mask=mask.transpose(1, 0, 2), name="ring")
        builder.save(str(tmp_path / "rt.dcm"))
    found = read_structure_set(tmp_path / "rt.dcm")
    ours = region_mask(found, [1], volume)
    theirs = _rt_utils_mask(folder, tmp_path / "rt.dcm", "ring")
    assert np.array_equal(theirs, mask)
    assert not ((ours != theirs) & ~_thick_edge(theirs)).any()
    assert ours.any(axis=(0, 1)).tolist() == mask.any(axis=(0, 1)).tolist()


def test_a_real_structure_set_agrees_with_rt_utils_up_to_the_edge(shared_data):
    folder = shared_data / "rtstruct" / "mock_data"
    headers = [pydicom.dcmread(path) for path in sorted(folder.glob("ct_*.dcm"))]
    slices = sorted(headers, key=lambda ds: float(ds.ImagePositionPatient[2]))
    first = slices[0]
    affine = np.diag([-first.PixelSpacing[1], -first.PixelSpacing[0], 5.0, 1.0]).astype(float)
    affine[:3, 3] = np.array(first.ImagePositionPatient, dtype=float) * [-1, -1, 1]
    # Two of the series' slices are there; the contours reach over three.
    image = Volume(np.zeros((first.Columns, first.Rows, 3)), affine)
    found = read_structure_set(folder / "rt.dcm")
    assert found.regions
    for region in found.regions:
        ours = region_mask(found, [region.number], image)[..., :2]
        theirs = _rt_utils_mask(folder, folder / "rt.dcm", region.name)
        assert ours.any()
        assert not ((ours != theirs) & ~_thick_edge(theirs)).any()


def test_contours_on_a_real_oblique_series_have_their_volume(shared_data, tmp_path):
    """rt-utils is no peer here: these pixels are not square."""
    for path in sorted((shared_data / "rtstruct" / "oriented_data").glob("*.dcm")):
        header = pydicom.dcmread(path)
        header.StudyInstanceUID = "1.2.3"  # each file names another one
        header.save_as(tmp_path / path.name)
    volume = read_series(tmp_path).volume
    rings = [rt.contour(ring(volume, k, 40, (50.3, 24.6), 2000)) for k in range(3)]
    mask = region_mask(read_structure_set(rt.write(tmp_path / "rt.dcm", {"a": rings})), [1], volume)
    assert mask.sum() * volume.voxel_volume_mm3 == pytest.approx(np.pi * 40**2 * 4.5 * 3, rel=0.01)
    i, j, _ = np.indices(volume.shape)
    inside = np.hypot((i - 50.3) * volume.spacing_mm[0], (j - 24.6) * volume.spacing_mm[1]) < 40
    assert np.array_equal(mask, inside)
