"""A tiny phantom in the layout of a PanTS release, to be damaged; written with nibabel and openpyxl."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import openpyxl
import pytest

from wirsung.curation.check import check
from wirsung.curation.settings import CheckSettings
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

ONE, TWO = "PanTS_00000001", "PanTS_00000002"
HEADINGS = (
    "PanTS ID",
    "shape",
    "spacing",
    "ct phase",
    "sex",
    "age",
    "manufacturer",
    "manufacturer model",
    "study type",
    "site",
    "site detail",
    "site nationality",
    "study year",
    "tumor?",
)
"""As the released table has them."""


class Release:
    """Two cases as downloaded: a man and a woman, each with a tumour, scanned in the venous phase."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def image(self, case: str = ONE) -> Path:
        return self.root / "ImageTr" / case / "ct.nii.gz"

    def mask(self, name: str, case: str = ONE) -> Path:
        return self.root / "LabelAll" / case / "segmentations" / f"{name}.nii.gz"

    def masks(self, case: str = ONE) -> list[Path]:
        return sorted((self.root / "LabelAll" / case / "segmentations").iterdir())

    def combined(self, case: str = ONE) -> Path:
        return self.root / "LabelAll" / case / "combined_labels.nii.gz"

    def array(self, name: str, case: str = ONE) -> np.ndarray:
        path = self.image(case) if name == "ct" else self.mask(name, case)
        return np.asanyarray(nibabel.load(path).dataobj).copy()

    def affine(self, case: str = ONE) -> np.ndarray:
        return nibabel.load(self.image(case)).affine

    def write(self, path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> None:
        nibabel.save(nibabel.Nifti1Image(array, self.affine() if affine is None else affine), path)

    def change(self, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
        self.write(self.mask(name), change(self.array(name)).astype(np.uint8))

    def affines(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Put image and masks of the first case elsewhere, the voxels as they are."""
        for path in [self.image(), *self.masks()]:
            read = nibabel.load(path)
            self.write(path, np.asanyarray(read.dataobj), change(read.affine))

    def scaled(self, path: Path, stored: np.ndarray, slope: float, intercept: float) -> None:
        """Write stored values with a scaling, which nibabel itself would undo."""
        header = nibabel.Nifti1Header()
        header.set_data_dtype(stored.dtype)
        header.set_data_shape(stored.shape)
        header.set_sform(self.affine(), 1)
        header.set_qform(self.affine(), 1)
        header["vox_offset"] = 352
        header["scl_slope"], header["scl_inter"] = slope, intercept
        header["magic"] = b"n+1"
        path.write_bytes(gzip.compress(header.binaryblock + bytes(4) + stored.tobytes(order="F"), mtime=0))

    def table(self, **cells: object) -> None:
        """metadata.xlsx, right but for the first case's cells named here."""
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.append(HEADINGS)
        for case, sex in ((ONE, "M"), (TWO, "F")):
            row = dict.fromkeys(HEADINGS)
            row |= {
                "PanTS ID": case,
                "spacing": "(4, 4, 5)",
                "ct phase": "Venous",
                "sex": sex,
                "age": 60,
                "tumor?": 1,
            }
            row["shape"] = str(nibabel.load(self.image(case)).shape)
            sheet.append([*(row | (cells if case == ONE else {})).values()])
        book.save(self.root / "metadata.xlsx")

    def rules(
        self, *, severities: tuple[str, ...] = ("error", "warning", "note"), **settings: object
    ) -> set[str]:
        """The rules that the first case breaks."""
        audit = check(CheckSettings(self.root, **settings))
        return {item.rule for item in audit.findings if item.case == ONE and item.severity in severities}


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> Path:
    """A raw cohort of three: the second is a woman, the third a man, both with a tumour."""
    root = tmp_path_factory.mktemp("phantoms") / "raw"
    phantom(PhantomSettings(root, cases=3, phases=("venous",)))
    return root


@pytest.fixture
def release(phantoms, tmp_path) -> Release:
    """A release of two cases, without any defect."""
    root = tmp_path / "pants"
    for case, source in ((ONE, "phantom_0003"), (TWO, "phantom_0002")):
        (root / "ImageTr" / case).mkdir(parents=True)
        (root / "LabelAll" / case).mkdir(parents=True)
        shutil.copyfile(phantoms / source / "ct.nii.gz", root / "ImageTr" / case / "ct.nii.gz")
        shutil.copytree(phantoms / source / "segmentations", root / "LabelAll" / case / "segmentations")
    found = Release(root)
    found.table()
    return found
