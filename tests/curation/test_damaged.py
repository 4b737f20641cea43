"""Damaged files: cut at every percent of their length, or with a single bit turned. None is read as another.

A bit may be turned where it means nothing: in the time that a gzip file holds, or where deflate points at one
of several equal places. Then, and only then, may a file be read: it inflates to the very same bytes. DICOM
has no checksum: what is cut is noticed, and so is a header that contradicts itself, but not a bit turned in
plain pixels, by any reader.
"""

import gzip
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless

from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings, VerifySettings
from wirsung.curation.verify import verify
from wirsung.errors import WirsungError
from wirsung.imaging.dicom import read_series
from wirsung.imaging.nifti import read_image, read_mask, write_nifti
from wirsung.imaging.run_reading import read_runs
from wirsung.imaging.slab_reading import read_slab
from wirsung.imaging.volume import Volume
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

AFFINE = np.array([[-0.8, 0, 0, 10], [0, -0.8, 0, 20], [0, 0, 1.5, -30], [0, 0, 0, 1]])
LARGE, SMALL = (192, 160, 120), (40, 36, 30)
KINDS = ["ct, ours, large", "ct, ours, small", "ct, nibabel, large", "ct, nibabel, small"]
KINDS += ["mask, ours, large", "mask, ours, small", "mask, nibabel, large", "mask, nibabel, small", "real ct"]


@pytest.fixture(scope="module", params=KINDS)
def whole(request, tmp_path_factory):
    """A file, how it is read, and what is read from it; the large CTs have more than 5 MB."""
    path = tmp_path_factory.mktemp("whole") / "file.nii.gz"
    if request.param == "real ct":
        path = request.getfixturevalue("shared_data") / "ct_abdomen/ct.nii.gz"
        return path, image_of, image_of(path)
    kind, writer, size = request.param.split(", ")
    read = image_of if kind == "ct" else mask_of
    write(path, kind, LARGE if size == "large" else SMALL, writer)
    assert (kind, size) != ("ct", "large") or path.stat().st_size > 5_000_000
    return path, read, read(path)


def write(path, kind, shape, writer):
    """A CT of noise, as nothing else fills so many bytes; a mask of a ball and, by nibabel, of noise too."""
    rng = np.random.default_rng(5)
    if kind == "ct":
        voxels = rng.normal(0, 300, shape).round().astype(np.int16)
    else:
        steps = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) / 2
        voxels = np.sqrt((steps**2).sum(axis=0)) < min(shape) / 3
        if writer == "nibabel":
            voxels &= rng.random(shape) < 0.5
    if writer == "ours":
        write_nifti(path, Volume(voxels, AFFINE))
    else:
        stored = voxels if kind == "ct" else voxels.astype(np.uint8)
        image = nibabel.Nifti1Image(stored, AFFINE)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)


def image_of(path):
    """The image, by the reader of whole files and by that of slabs."""
    image = read_image(path)
    middle = image.shape[2] // 2
    slab = read_slab(path, middle, middle + 1)
    assert np.array_equal(slab.voxels, image.voxels[:, :, middle : middle + 1])
    return image


def mask_of(path):
    """The mask, by the reader of runs where it understands the file, which must see what the other sees."""
    mask, runs = read_mask(path), read_runs(path)
    assert runs is None or np.array_equal(runs.volume().voxels, mask.voxels)
    return mask


def cuts_unnoticed(whole, folder, percents):
    path, read, _ = whole
    content, hurt = path.read_bytes(), folder / "cut.nii.gz"
    found = []
    for percent in percents:
        hurt.write_bytes(content[: len(content) * percent // 100])
        if is_read(read, hurt):
            found.append(percent)
    return found


def is_read(read, path):
    try:
        read(path)
    except WirsungError:
        return False
    return True


def flips_that_change_what_is_read(whole, folder, count):
    """The turned bits that were not noticed, but for those that change no byte by Python's own gzip."""
    path, read, truth = whole
    content, hurt = bytearray(path.read_bytes()), folder / "flipped.nii.gz"
    inflated = gzip.decompress(content)
    found = []
    for bit in np.random.default_rng(len(content)).integers(0, 8 * len(content), count).tolist():
        content[bit // 8] ^= 1 << bit % 8
        hurt.write_bytes(content)
        if is_read(read, hurt):
            again = read(hurt)
            is_same = gzip.decompress(content) == inflated and np.array_equal(again.voxels, truth.voxels)
            if not is_same or not np.array_equal(again.affine, truth.affine):
                found.append(bit)
        content[bit // 8] ^= 1 << bit % 8
    return found


def test_no_cut_at_a_tenth_of_a_file_is_unnoticed(whole, tmp_path):
    assert cuts_unnoticed(whole, tmp_path, range(0, 100, 10)) == []


def test_no_turned_bit_of_twenty_five_is_unnoticed(whole, tmp_path):
    assert flips_that_change_what_is_read(whole, tmp_path, 25) == []


@pytest.mark.slow
def test_no_cut_at_any_percent_of_a_file_is_unnoticed(whole, tmp_path):
    assert cuts_unnoticed(whole, tmp_path, range(100)) == []


@pytest.mark.slow
def test_no_turned_bit_of_a_thousand_is_unnoticed(whole, tmp_path):
    assert flips_that_change_what_is_read(whole, tmp_path, 1000) == []


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Five slices of 1024 x 1024, two megabytes each, made from a phantom's first ones."""
    root = tmp_path_factory.mktemp("series")
    phantom(PhantomSettings(root / "phantom", cases=1, format="dicom"))
    (root / "series").mkdir()
    rng = np.random.default_rng(3)
    files = [pydicom.dcmread(path) for path in sorted((root / "phantom/phantom_0001/dicom").iterdir())]
    files.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    for number, ds in enumerate(files[:5]):
        ds.Rows = ds.Columns = 1024
        ds.PixelData = rng.integers(900, 1200, (1024, 1024)).astype("<u2").tobytes()
        ds.save_as(root / "series" / f"IM{number}")
    return root / "series"


def test_the_series_of_these_tests_is_read_whole(series):
    assert read_series(series).volume.shape == (1024, 1024, 5)
    assert min(path.stat().st_size for path in series.iterdir()) > 2_000_000


@pytest.fixture(scope="module", params=["plain", "jpeg2000"])
def packed(request, series, tmp_path_factory):
    """The series, as it is or compressed."""
    if request.param == "plain":
        return series
    folder = tmp_path_factory.mktemp("packed")
    for path in series.iterdir():
        ds = pydicom.dcmread(path)
        ds.compress(JPEG2000Lossless)
        ds.save_as(folder / path.name)
    return folder


@pytest.mark.parametrize("number", [2, 4], ids=["inner", "last"])
@pytest.mark.parametrize(
    "percents", [range(1, 100, 24), pytest.param(range(1, 100), marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_no_cut_of_a_dicom_file_is_unnoticed(packed, tmp_path, number, percents):
    """At 0 % it is an empty file, which counts as no DICOM file, as exports are full of them."""
    shutil.copytree(packed, tmp_path, dirs_exist_ok=True)
    victim = tmp_path / f"IM{number}"
    content = victim.read_bytes()
    unnoticed = []
    for percent in percents:
        victim.write_bytes(content[: len(content) * percent // 100])
        if is_read(read_series, tmp_path):
            unnoticed.append(percent)
    assert unnoticed == []


def test_a_damaged_case_fails_alone_and_its_file_is_named(cohort, tmp_path):
    cohort.case("good")
    for case, place in (("image", "ct.nii.gz"), ("mask", "segmentations/pancreas.nii.gz")):
        cohort.case(case)
        cohort.case(f"{case}-cut")
        turn_a_bit(cohort.root / case / place)
        cut = cohort.root / f"{case}-cut" / place
        cut.write_bytes(cut.read_bytes()[:-9])
    outcomes = {item.case: item for item in curate(CurateSettings(cohort.root, tmp_path / "out"))}
    assert outcomes.pop("good").status == "done"
    for case, outcome in outcomes.items():
        assert outcome.status == "failed"
        assert ("pancreas.nii.gz" if case.startswith("mask") else "ct.nii.gz") in outcome.message
    assert [path.name for path in (tmp_path / "out/ImageTr").iterdir()] == ["good"]


@pytest.mark.parametrize("count", [25, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_turned_bit_in_a_dataset_passes_its_verification(cohort, tmp_path, count):
    """In the image, masks, codes and label map; where it passes, no byte of the content differs."""
    cohort.case("a")
    curate(CurateSettings(cohort.root, tmp_path / "out"))
    files = sorted((tmp_path / "out").rglob("*.nii.gz"))
    assert len(files) == 1 + 6 + 2
    draw, passed = np.random.default_rng(count), []
    for _ in range(count):
        path = files[draw.integers(len(files))]
        whole = path.read_bytes()
        hurt = bytearray(whole)
        hurt[draw.integers(len(whole))] ^= 1 << int(draw.integers(8))
        path.write_bytes(hurt)
        if verify(VerifySettings(tmp_path / "out"))[0].status == "done":
            passed.append(gzip.decompress(hurt) == gzip.decompress(whole))
        path.write_bytes(whole)
    assert all(passed)
    assert len(passed) < count / 2


def turn_a_bit(path: Path):
    """In the middle of the compressed voxels."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
