"""What the table of a PanTS release (`metadata.xlsx`) says of each case, as a row of a manifest."""

from pathlib import Path

from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.release_metadata import ReleaseRow, read_release_metadata

RELEASE_TABLE = "metadata.xlsx"


def read_release_rows(root: Path) -> dict[str, ManifestRow]:
    """The rows of the table that lies in `root`, by case; nothing where there is no table.

    Raises:
        ManifestError: The table is damaged.
    """
    path = root / RELEASE_TABLE
    return {row.case: manifest_row(row) for row in read_release_metadata(path).rows} if path.is_file() else {}


def manifest_row(row: ReleaseRow) -> ManifestRow:
    """One row of a manifest; each case counts as a patient, as the release names none.

    Shape and spacing are left to the image: the table has them in the order of its file's axes.
    """
    return ManifestRow(
        row.case,
        row.case,
        centre=row.site_detail or row.site,
        phase=row.phase,
        sex=row.sex,
        age_years=row.age_years,
        manufacturer=row.manufacturer,
        tumour=row.tumour,
    )
