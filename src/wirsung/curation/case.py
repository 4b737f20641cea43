"""Curating one case: read, convert, align, measure, write."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wirsung import __version__
from wirsung.anatomy.schemes import Scheme, scheme
from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Skip
from wirsung.curation.deidentification.originals import Originals
from wirsung.curation.deidentification.released import METADATA_FILE, ReleasedMetadata
from wirsung.curation.deidentification.self_check import Outputs, ReadBack, files_below, refuse_leaks
from wirsung.curation.dicom_facts import read_dicom
from wirsung.curation.intake import Source, dicom_files
from wirsung.curation.labels import Labels, read_labels
from wirsung.curation.merging import merged_codes, turned_codes
from wirsung.curation.metadata import Metadata
from wirsung.curation.outputs import Staging, remove_case, staged
from wirsung.curation.pictures import write_picture
from wirsung.curation.places import picture_path
from wirsung.curation.pseudonyms import pseudonym
from wirsung.curation.records import Record, fingerprint, read_record, write_record
from wirsung.curation.written import write_image, write_labels
from wirsung.datasets.layout import SUFFIX, Modality, is_case_id
from wirsung.datasets.manifest import ManifestRow, StructureRow
from wirsung.datasets.measure import measure_codes, sha256_of_voxels
from wirsung.datasets.measure_kernels import clip
from wirsung.errors import ImageError, ManifestError, StorageError, WirsungError
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.nifti import read_header, read_image
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume

AXIS_CODES = "RPS"
"""How curated volumes lie on the disk, as PanTS's do."""
OFFICIAL = "pants-28"
"""The scheme of the masks and of the combined labels."""

_RECIPE = 3  # counted up whenever the same source gives other files
_LESION = "pancreatic_lesion"
_AS_IT_IS = {"clip_hu": None, "clipped_voxels": 0, "rounded": False}
_LARGEST_LABEL = 255
_MOST_LABELS = 128  # TotalSegmentator's 117 and the background; an image in bytes has more


@dataclass(frozen=True)
class CaseTask:
    """One case and how to curate it."""

    source: Source
    metadata: Metadata
    out: Path
    scheme: Scheme
    """Of the source's labels."""
    modality: Modality
    """Where nothing else tells."""
    clip_hu: tuple[int, int] | None
    key: bytes = field(repr=False)
    """For pseudonyms; empty where there is no DICOM."""
    run: str
    resample_labels: bool = False
    """Whether labels on another grid are put onto the image's."""
    even_spacing: bool = False
    """Whether slices at uneven distances are put onto an even grid."""
    is_reviewed: bool = False
    """Whether somebody has looked for text in the image and found none."""


@dataclass(frozen=True)
class _Image:
    """The image as read, and what is known of it."""

    volume: Volume
    modality: Modality
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Columns of the manifest."""
    notes: Mapping[str, int] = field(default_factory=dict)
    """What was repaired or set aside while reading."""
    released: ReleasedMetadata | None = None
    """Of DICOM: what is told of the scan."""
    originals: Originals | None = field(default=None, repr=False)
    """Of DICOM: what must not be found in what is written."""


@dataclass(frozen=True)
class _Written:
    """What is measured of a case's masks, and the checksums of what was written beside them."""

    rows: tuple[StructureRow, ...] = ()
    combined_sha256: str | None = None
    codes_sha256: str | None = None


def curate_case(task: CaseTask) -> Record:
    """Put one case into the dataset; where it fails, nothing of it is there, no older version either.

    Raises:
        Skip: It is done, and neither its source nor the settings changed.
        WirsungError: It can't be curated.
    """
    source = task.source
    try:
        if source.problem:
            raise ManifestError(source.problem)
        mark = _fingerprint(task)
        before = read_record(task.out, source.case)
        if before is not None and before.fingerprint == mark:
            raise Skip(before)
        return _curated(task, mark)
    except StorageError:
        raise
    except WirsungError:
        if is_case_id(source.case):
            remove_case(task.out, source.case)
        raise


def _curated(task: CaseTask, mark: str) -> Record:
    source = task.source
    image = _read_image(task)
    came_in = axis_codes(image.volume.affine)
    codes, labels = _codes(task, image.volume) if source.has_labels else (None, None)
    turned, converted = _converted(image, task)
    image = replace(image, volume=turned)
    codes = turned_codes(codes, turned, AXIS_CODES) if codes else None
    with staged(task.out, source.case, source.subset) as staging:
        write_image(staging.image_folder / _image_name(image), turned)
        if image.released:
            write_json(staging.image_folder / METADATA_FILE, image.released.as_json())
        written = _write_labels(codes, turned, staging, source.case) if codes else _Written()
        codes = None  # the search below needs the room
        done = {
            "tool": f"wirsung {__version__}",
            "source": source.kind,
            "files": len(_files(source)),
            "axis_codes": [came_in, AXIS_CODES],
            **converted,
            "notes": {**image.notes, **(labels.repairs.counts if labels else {})},
            "labels": source.labels_kind,
            "label_scheme": task.scheme.name if source.has_labels else None,
            "labels_fetched_mm": round(labels.repairs.farthest_mm, 4) if labels else 0.0,
            "dropped": list(labels.dropped) if labels else [],
        }
        row = _row(task, image, written)
        record = Record(source.case, mark, task.run, row, written.rows, done, dict(task.metadata.values))
        _check_identity(image, staging, record)
    write_picture(picture_path(task.out, source.case), turned, is_ct=image.modality == "ct")
    write_record(task.out, record)
    return record


def _check_identity(image: _Image, staging: Staging, record: Record) -> None:
    """Search all that was written, the record too, for what the headers said."""
    if image.released is None or image.originals is None:
        return
    told = {str(value) for value in record.metadata.values()}
    if told:
        told.add(record.case)  # whoever lists a case in metadata.csv says that its name is a code
    known = replace(record, run="")  # today's date may be the header's too
    outputs: Outputs = {
        **files_below(staging.image_folder, record.case),
        **files_below(staging.label_folder, record.case),
        f"{record.case}.json": json.dumps(asdict(known), ensure_ascii=False).encode(),
        # It was read back and compared a moment ago, and to inflate it again takes as long.
        f"{record.case}/{_image_name(image)}": ReadBack(
            staging.image_folder / _image_name(image), image.volume.voxels
        ),
    }
    originals = image.originals.without(image.released.texts()).without_parts_of(told)
    refuse_leaks(record.case, outputs, originals)


def _image_name(image: _Image) -> str:
    return f"{image.modality}{SUFFIX}"


def _read_image(task: CaseTask) -> _Image:
    source, told = task.source, task.metadata.values.get("modality")
    if source.kind == "nifti":
        if told and source.modality and told != source.modality:
            msg = (
                f"Case {source.case} is {source.image.name}, but metadata.csv says {told}. Mend one of them."
            )
            raise ManifestError(msg)
        volume = read_image(source.image)
        if _looks_like_labels(volume):
            msg = (
                f"Case {source.case}: {source.image.name} holds only a few whole numbers, as a label map "
                "does. An image was expected; give label maps with --labels."
            )
            raise ImageError(msg)
        notes = {"SHEAR_MENDED": 1} if read_header(source.image).affine_shift_mm else {}
        return _Image(volume, source.modality or told or task.modality, notes=notes)
    files = _dicom_files(source)
    patient = task.metadata.values.get("patient", "")
    series = read_dicom(
        files,
        task.key,
        patient,
        is_reviewed=task.is_reviewed,
        even_spacing=task.even_spacing,
        case=source.case,
    )
    modality: Modality = "ct"
    if not series.is_ct:
        modality = told or task.modality
    if (series.is_ct and told not in (None, "ct")) or (not series.is_ct and modality == "ct"):
        what = "CT" if series.is_ct else "MR"
        msg = (
            f"Case {source.case}: MODALITY, {source.case} is {what} by its DICOM headers. Say so in "
            "metadata.csv or with --modality."
        )
        raise ImageError(msg)
    facts = dict(series.facts)
    for column, value in series.identity.items():
        facts[column] = pseudonym(task.key, column, value)
    notes = {**dict.fromkeys(source.repairs, 1), **series.notes}
    return _Image(series.volume, modality, facts, notes, series.released, series.originals)


def _looks_like_labels(volume: Volume) -> bool:
    """Whether an image is rather a label map that lies in the wrong folder."""
    voxels = volume.voxels
    if voxels.dtype.kind == "f" or voxels.min() < 0 or voxels.max() > _LARGEST_LABEL:
        return False
    return 1 < len(np.unique(voxels)) <= _MOST_LABELS


def _codes(task: CaseTask, image: Volume) -> tuple[CodeVolume, Labels]:
    """The codes of the labels on the image's grid, and what became of the labels."""
    source = task.source
    labels = read_labels(source, task.scheme, image, resample=task.resample_labels)
    codes = merged_codes(labels, image, case=source.case, name=source.image.name)
    return codes, replace(labels, masks=iter(()))  # which would keep the image in memory


def _converted(image: _Image, task: CaseTask) -> tuple[Volume, dict[str, Any]]:
    """The image as it is written, in the memory of `image` where it can, and what was done to its values."""
    volume = reorient(image.volume, AXIS_CODES)
    affine = volume.affine + 0.0  # no -0.0, so that equal grids are equal files
    rows = in_file_order(volume.voxels, in_place=True)
    if image.modality != "ct":
        return Volume(rows.transpose(2, 1, 0), affine), dict(_AS_IT_IS)
    clipped = 0
    if task.clip_hu is not None:
        low, high = task.clip_hu
        kept = rows if rows.flags.writeable else np.empty_like(rows)
        clipped = int(clip(rows.reshape(-1), low, high, kept.reshape(-1)))
        rows = kept
    is_rounded = rows.dtype != np.int16
    if is_rounded:
        bounds = np.iinfo(np.int16)
        if rows.min() < bounds.min or rows.max() > bounds.max:
            msg = (
                f"Case {task.source.case} holds {rows.min():g} to {rows.max():g} HU, but {bounds.min} to "
                f"{bounds.max} can be written. Clip it with --clip-hu."
            )
            raise ImageError(msg)
        rows = np.rint(rows).astype(np.int16)
    done = {"clip_hu": task.clip_hu, "clipped_voxels": clipped, "rounded": is_rounded}
    return Volume(rows.transpose(2, 1, 0), affine), done


def _write_labels(codes: CodeVolume, turned: Volume, staging: Staging, case: str) -> _Written:
    """Write masks, codes and label map, and measure the masks."""
    official = scheme(OFFICIAL)
    values = {name: official.value(name) for name in codes.structures}
    label_map = write_labels(staging, codes, values)
    rows = measure_codes(case, codes, turned)
    return _Written(rows, sha256_of_voxels(label_map), sha256_of_voxels(codes.volume.voxels))


def _row(task: CaseTask, image: _Image, written: _Written) -> ManifestRow:
    lesion = [row.volume_ml > 0 for row in written.rows if row.structure == _LESION]
    turned = image.volume
    shape, spacing = turned.shape, turned.spacing_mm
    facts = {"patient": task.source.case, "tumour": lesion[0] if lesion else None, **image.facts}
    return ManifestRow(
        case=task.source.case,
        modality=image.modality,
        subset=task.source.subset,
        shape_i=shape[0],
        shape_j=shape[1],
        shape_k=shape[2],
        spacing_i_mm=spacing[0],
        spacing_j_mm=spacing[1],
        spacing_k_mm=spacing[2],
        has_labels=bool(written.rows),
        image_sha256=sha256_of_voxels(turned.voxels),
        structures=tuple(row.structure for row in written.rows),
        combined_sha256=written.combined_sha256,
        codes_sha256=written.codes_sha256,
        **facts,
    )


def _dicom_files(source: Source) -> Sequence[Path]:
    return source.files or dicom_files(source.image, is_deep=source.is_deep)


def _files(source: Source) -> dict[str, Path]:
    """The source's files by their role."""
    if source.kind == "dicom":
        paths = _dicom_files(source)
        files = {f"image {number}": path for number, path in enumerate(paths)}
    else:
        files = {"image": source.image}
    files |= {f"mask {path.name}": path for path in source.masks}
    files |= {f"drawn {number}": path for number, path in enumerate(source.drawn)}
    return files | ({"labels": source.label_map} if source.label_map else {})


def _fingerprint(task: CaseTask) -> str:
    imported = task.source.imported
    settings = {
        "recipe": _RECIPE,
        "modality": task.modality,
        "named": (task.source.kind, task.source.modality, task.metadata.values.get("modality")),
        "clip_hu": task.clip_hu,
        "scheme": task.scheme if task.source.has_labels else None,
        "subset": task.source.subset,
        "asked": (task.resample_labels and task.source.has_labels, task.even_spacing),
        # Another key makes other pseudonyms: one patient must not be two.
        "key": pseudonym(task.key, "key", "check") if task.source.kind == "dicom" else None,
        **({"imported": (imported.style, imported.structure_names())} if imported else {}),
    }
    return fingerprint(_files(task.source), settings)
