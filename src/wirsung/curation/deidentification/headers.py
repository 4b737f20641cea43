"""The headers of a scan's files, read once for what is released and for what must not be found."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from wirsung.curation.deidentification.originals import Collector, Originals
from wirsung.imaging.dicom_headers import IMAGES, quietly, text
from wirsung.imaging.dicom_parsing import ParsedFiles


@dataclass(frozen=True)
class ScanHeaders:
    """What all files of a scan say; never to be shown."""

    slices: tuple[Dataset, ...] = field(repr=False)
    """Headers of the series' slices, without localizers."""
    originals: Originals = field(repr=False)
    """Of every file, those of other series and objects too."""


def read_scan_headers(
    paths: Iterable[Path], series_uid: str, parsed: ParsedFiles | None = None
) -> ScanHeaders:
    """The headers of one series and the identifying values of all files.

    Args:
        paths: Files that may be DICOM; others are passed over.
        series_uid: Of the series that is converted.
        parsed: The files whose headers were read before.
    """
    collector = Collector(parsed)
    slices: list[Dataset] = []
    for path in paths:
        header = collector.add_file(path)
        if header is not None:
            with quietly():
                if _is_slice(header, series_uid):
                    slices.append(header)
    return ScanHeaders(tuple(slices), collector.originals())


def _is_slice(header: Dataset, series_uid: str) -> bool:
    is_image = text(header.get("SOPClassUID")) in IMAGES
    is_localizer = "LOCALIZER" in text(header.get("ImageType")).upper()
    return is_image and not is_localizer and text(header.get("SeriesInstanceUID")) == series_uid
