"""What `verify` holds a dataset against that was imported, or is as released: what its catalog recorded.

Nothing of it was written by us, so there is no checksum of a stored file: image and masks are read as the
catalog reads them, the masks on the image's grid.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from wirsung.datasets.catalog_tables import FINGERPRINTS_FILE
from wirsung.datasets.foreign_labels import LABEL_MAP_FILE
from wirsung.datasets.layout import Case, Dataset
from wirsung.datasets.measure import sha256_of_mask, sha256_of_runs, sha256_of_voxels
from wirsung.errors import ManifestError
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.volume import Volume

Check = tuple[str, Callable[[], str], str | None]
"""A file, what hashes it, and the checksum that is expected."""


def is_cataloged(dataset: Dataset) -> bool:
    """Whether its tables come from the catalog, and not from curation.

    Raises:
        ManifestError: It was not curated, and has no catalog yet.
    """
    if dataset.description.is_curated:
        return False
    if not (dataset.root / FINGERPRINTS_FILE).is_file():
        msg = (
            f"{dataset.root} has no checksums yet to verify it by: run wirsung catalog {dataset.root} first."
        )
        raise ManifestError(msg)
    return True


class CatalogedCase:
    """A case, its row of the manifest, and the checksums of its masks by structure.

    Raises:
        ManifestError: The catalog did not measure it.
    """

    def __init__(self, case: Case, row: Mapping[str, Any], masks: Mapping[str, str]) -> None:
        self._case, self._row, self._masks = case, row, masks
        if not row.get("image_sha256"):
            msg = f"Case {case.id} is not in the catalog. Run wirsung catalog first."
            raise ManifestError(msg)

    def image_check(self) -> Check:
        """That of the image."""
        path = self._case.image_path
        return path.name, lambda: sha256_of_voxels(self._image.voxels), self._row["image_sha256"]

    def label_checks(self) -> list[Check]:
        """Those of the masks, or of the label map that stands for them; the image must be readable."""
        case = self._case
        names = sorted({*self._masks, *case.structure_names()})
        if names and case.style.scheme_name and set(case.label_files) <= {case.label_map_path}:
            return [(LABEL_MAP_FILE, self._sha256_of_label_map, _joined(self._masks))]
        # A structure that is several masks together is verified by these.
        single = [name for name in names if name not in case.style.unions or case.mask_path(name).is_file()]
        return [
            (
                case.file_of(name).relative_to(case.label_folder).as_posix(),
                partial(self._sha256_of_mask, name),
                self._masks.get(name),
            )
            for name in single
        ]

    @cached_property
    def _image(self) -> Volume:
        return self._case.image()

    def _lying(self, labels: Volume, file: str) -> Volume:
        names = (self._case.image_path.name, file)
        return same_grid_as(labels, self._image, case=self._case.id, names=names)

    def _sha256_of_mask(self, name: str) -> str:
        return sha256_of_mask(self._lying(self._case.mask(name), name).voxels)

    def _sha256_of_label_map(self) -> str:
        codes = self._case.codes()
        moved = replace(codes, volume=self._lying(codes.volume, LABEL_MAP_FILE))
        shape = moved.volume.shape
        return _joined({name: sha256_of_runs(moved.runs_of(name), shape) for name in moved.structures})


def _joined(masks: Mapping[str, str]) -> str:
    """One checksum of those of all structures: of them as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(dict(masks), sort_keys=True).encode()).hexdigest()
