import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from scipy import ndimage

from wirsung.curation.deidentification.burned_in import suspected_by_headers, suspected_by_pixels
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.imaging.dicom import read_series
from wirsung.imaging.volume import Volume
from wirsung.phantom.dicom_writing import SeriesHeader, write_series

SHAPE = (160, 160, 12)
PLAIN = SeriesHeader(1, 1, "ct", "venous", "F", 60, 1, "Siemens")
# Five columns of seven rows each, the highest row in the lowest bit.
FONT = {
    "E": (127, 73, 73, 73, 65),
    "R": (127, 9, 25, 41, 70),
    "I": (0, 65, 127, 65, 0),
    "K": (127, 8, 20, 34, 65),
    "A": (126, 17, 17, 17, 126),
    "1": (0, 66, 127, 64, 0),
    "9": (6, 73, 73, 41, 30),
    "6": (62, 73, 73, 73, 50),
    "0": (62, 65, 65, 65, 62),
    "7": (1, 113, 9, 5, 3),
}


def written(words, size=2):
    """The words as an image of columns x rows."""
    columns = []
    for letter in words:
        columns += [[code >> row & 1 for row in range(7)] for code in FONT[letter]] + [[0] * 7]
    return np.kron(np.array(columns, dtype=bool), np.ones((size, size), dtype=bool))


def scan(seed=0, shape=SHAPE):
    """A body with a spine on a table, with the noise of CT, HU."""
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    across, down = (i - shape[0] / 2) / (0.36 * shape[0]), (j - shape[1] / 2) / (0.28 * shape[1])
    voxels = np.where(across**2 + down**2 < 1, 40.0, -1000.0) + 0 * k
    spine = (i - shape[0] / 2) ** 2 + (j - 0.68 * shape[1]) ** 2 < 64
    voxels[np.broadcast_to(spine, shape)] = 700
    voxels[20:-20, int(0.82 * shape[1]) : int(0.84 * shape[1])] = 100
    noise = np.random.default_rng(seed).normal(0, 12, shape)
    return np.maximum(voxels + noise, -1024).round().astype(np.int16)


def burn(voxels, words, place=(4, 4), value=3071, slices=None, size=2):
    image = written(words, size)
    here = voxels[place[0] : place[0] + image.shape[0], place[1] : place[1] + image.shape[1]]
    for number in range(voxels.shape[2]) if slices is None else slices:
        here[..., number][image] = value


def test_a_scan_without_text_is_not_suspected():
    assert suspected_by_pixels(scan(), is_ct=True) is None


@pytest.mark.parametrize("value", [3071, 1500, 0])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_text_in_the_corner_of_all_slices_is_found(value, size):
    voxels = scan()
    burn(voxels, "ERIKA", value=value, size=size)
    assert "in a line" in suspected_by_pixels(voxels, is_ct=True)


@pytest.mark.parametrize("turned", ["i", "j", "swapped"])
def test_a_text_is_found_however_the_slices_lie(turned):
    voxels = scan()
    burn(voxels, "ERIKA1961")
    voxels = {"i": voxels[::-1], "j": voxels[:, ::-1], "swapped": voxels.transpose(1, 0, 2)}[turned]
    assert suspected_by_pixels(voxels, is_ct=True)


def test_a_text_over_the_body_is_found_where_it_stays():
    voxels = scan()
    burn(voxels, "ERIKA", place=(50, 70))
    assert (
        suspected_by_pixels(voxels, is_ct=True) == "small bright shapes in a line are the same on most slices"
    )


def test_a_text_that_changes_with_the_slice_is_found_beside_the_body():
    voxels = scan()
    for number in range(SHAPE[2]):
        burn(
            voxels,
            str(190_000 + 10_967 * (number % 3))[:6].translate(str.maketrans("23458", "19607")),
            place=(4 + number % 5, 4),
            slices=[number],
        )
    assert "beside the body" in suspected_by_pixels(voxels, is_ct=True)


def test_a_smoothed_text_is_found():
    voxels = scan().astype(np.float32)
    image = np.zeros(SHAPE[:2], dtype=np.float32)
    words = written("ERIKA", 3)
    image[4 : 4 + words.shape[0], 4 : 4 + words.shape[1]] = words
    voxels += 4000 * ndimage.gaussian_filter(image, 0.7)[..., None]
    noise = np.random.default_rng(3).normal(0, 20, SHAPE)
    assert suspected_by_pixels(voxels + noise, is_ct=True)


def test_a_text_on_few_slices_is_left_to_people():
    voxels = scan()
    burn(voxels, "ERIKA", slices=[3, 4])
    assert suspected_by_pixels(voxels, is_ct=True) is None


def test_metal_that_runs_through_all_slices_is_no_text():
    voxels = scan()
    for place in (60, 90):  # two rods of the spine, saturated
        voxels[place : place + 8, 100:108] = 3071
    voxels[30:130, 20:21] = 3071  # a cable along the body
    voxels[5:11, 80:86] = 3071  # and one across
    assert suspected_by_pixels(voxels, is_ct=True) is None


def test_text_is_found_on_magnetic_resonance_images_too():
    voxels = np.maximum(scan() + 1000, 0).astype(np.int16)
    assert suspected_by_pixels(voxels, is_ct=False) is None
    burn(voxels, "ERIKA", value=2000)
    assert suspected_by_pixels(voxels, is_ct=False)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "SCREEN SAVE"),
        ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "DERIVED and SECONDARY"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "colour"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "neither CT nor MR"),
    ],
)
def test_headers_that_speak_of_text_are_suspected(values, word):
    assert word in suspected_by_headers([header(), header(**values)])


def test_plain_headers_are_not_suspected():
    assert suspected_by_headers([header(), header(BurnedInAnnotation="NO")]) is None
    assert suspected_by_headers([header(ImageType=["DERIVED", "PRIMARY", "AXIAL"])]) is None


def header(**values):
    found = Dataset()
    found.SOPClassUID, found.ImageType = "1.2.840.10008.5.1.4.1.1.2", ["ORIGINAL", "PRIMARY", "AXIAL"]
    for name, value in values.items():
        setattr(found, name, value)
    return found


def test_a_real_scan_is_not_suspected(shared_data):
    series = read_series(shared_data / "ct_dicom" / "series")
    voxels = np.array(series.volume.voxels)
    assert suspected_by_pixels(voxels, is_ct=True) is None
    burn(voxels, "ERIKA1961", place=(8, 8))
    assert suspected_by_pixels(voxels, is_ct=True)


def test_a_suspected_case_waits_until_somebody_has_looked(tmp_path):
    folder = tmp_path / "src/case-1/dicom"
    voxels = scan()
    burn(voxels, "ERIKA")
    folder.mkdir(parents=True)
    write_series(folder, Volume(voxels, np.diag([-2.0, -2, 3, 1])), PLAIN)
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert outcome.status == "failed"
    assert "BURNED_IN_SUSPECTED: small bright shapes" in outcome.message
    assert not list((tmp_path / "out").rglob("*.nii.gz"))
    settings = CurateSettings(tmp_path / "src", tmp_path / "out", no_burned_in_text=("case-1",))
    (outcome,) = curate(settings)
    assert outcome.status == "done"


def test_a_declaration_in_the_headers_is_enough(tmp_path):
    folder = tmp_path / "src/case-1/dicom"
    folder.mkdir(parents=True)
    write_series(folder, Volume(scan(), np.diag([-2.0, -2, 3, 1])), PLAIN)
    path = sorted(folder.iterdir())[3]
    header = dcmread(path)
    header.BurnedInAnnotation = "YES"
    header.save_as(path)
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert outcome.status == "failed"
    assert "BURNED_IN_SUSPECTED: BurnedInAnnotation says YES" in outcome.message
