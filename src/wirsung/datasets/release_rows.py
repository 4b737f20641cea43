"""What the table of a PanTS release (`metadata.xlsx`) says of each case, as a row of a manifest."""

from dataclasses import replace
from pathlib import Path

from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.release_metadata import ReleaseRow, read_release_metadata

RELEASE_TABLE = "metadata.xlsx"
LAST_TRAINING = 9000
"""Ids up to it are for training, those beyond for the test; there is no split file."""


def read_release_rows(root: Path, *, with_grid: bool = False) -> dict[str, ManifestRow]:
    """The rows of the table that lies in `root`, by case; nothing where there is no table.

    Args:
        root: A folder.
        with_grid: As in `row_of_table`; else as in `manifest_row`.

    Raises:
        ManifestError: The table is damaged.
    """
    path = root / RELEASE_TABLE
    made = row_of_table if with_grid else manifest_row
    return {row.case: made(row) for row in read_release_metadata(path).rows} if path.is_file() else {}


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


def row_of_table(row: ReleaseRow) -> ManifestRow:
    """The row with subset and grid as the table has them, for who has no image to tell."""
    (i, j, k), (di, dj, dk) = row.shape, row.spacing_mm
    return replace(
        manifest_row(row),
        subset="test" if row.case > f"PanTS_{LAST_TRAINING:08}" else "train",
        shape_i=i,
        shape_j=j,
        shape_k=k,
        spacing_i_mm=di,
        spacing_j_mm=dj,
        spacing_k_mm=dk,
    )
