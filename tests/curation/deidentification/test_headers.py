import numpy as np
from pydicom import dcmread
from pydicom.uid import generate_uid

from wirsung.curation.deidentification import originals
from wirsung.curation.deidentification.headers import read_scan_headers
from wirsung.imaging.dicom import read_series
from wirsung.imaging.dicom_parsing import ParsedFiles
from wirsung.imaging.volume import Volume
from wirsung.phantom.dicom_writing import SeriesHeader, write_series


def test_only_the_slices_of_the_series_are_told_of_and_all_files_are_searched_for(tmp_path):
    volume = Volume(np.zeros((8, 9, 6), dtype=np.int16), np.diag([-1.0, -1, 2, 1]))
    write_series(tmp_path, volume, SeriesHeader(1, 1, "ct", "venous", "F", 60, 1, "Siemens"))
    paths = sorted(tmp_path.iterdir())
    series = str(dcmread(paths[0]).SeriesInstanceUID)
    for path, change in zip(
        paths,
        (("SeriesInstanceUID", generate_uid()), ("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"])),
        strict=False,
    ):
        header = dcmread(path)
        setattr(header, *change)
        header.StationName = "OTHERSTATION"
        header.save_as(path)
    (tmp_path / "report.txt").write_text("no DICOM")
    found = read_scan_headers([*paths, tmp_path / "report.txt"], series)
    assert len(found.slices) == 4
    assert "otherstation" in found.originals.values["StationName"]
    assert "PHANTOM" not in repr(found)


def test_headers_that_the_image_was_read_from_tell_the_same_and_are_not_parsed_again(tmp_path, monkeypatch):
    volume = Volume(np.zeros((8, 9, 6), dtype=np.int16), np.diag([-1.0, -1, 2, 1]))
    write_series(tmp_path, volume, SeriesHeader(1, 1, "ct", "venous", "F", 60, 1, "Siemens"))
    paths = sorted(tmp_path.iterdir())
    parsed = ParsedFiles()
    series = read_series(paths, parsed=parsed).identity.series_uid
    expected = read_scan_headers(paths, series)
    with monkeypatch.context() as without:
        without.setattr(originals.pydicom, "dcmread", None)
        found = read_scan_headers(paths, series, parsed)
    assert found.originals == expected.originals
    assert [dict(header.items()) for header in found.slices] == [
        dict(header.items()) for header in expected.slices
    ]
