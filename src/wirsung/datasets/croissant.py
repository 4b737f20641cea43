"""A dataset as Croissant 1.1: JSON-LD that search engines and loaders read, with the responsible-AI fields.

Addresses of files are relative to the dataset's folder, so `croissant.json` belongs beside `dataset.toml`.
The tables are described column by column, with their SHA-256; images and masks are sets of files, whose
checksums stand in the tables.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wirsung.compute.file_state import sha256_of_file
from wirsung.datasets.contents import Contents, contents_of
from wirsung.datasets.data_card import DataCard, data_card
from wirsung.datasets.description import DESCRIPTION_FILE
from wirsung.datasets.foreign_labels import LABEL_MAP_FILE
from wirsung.datasets.layout import (
    ALL_LABELS,
    COMBINED_FILE,
    IMAGE_FOLDERS,
    LABEL_FOLDERS,
    MASK_FOLDER,
    SUFFIX,
    Dataset,
)

CROISSANT_FILE = "croissant.json"

_CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TABLES = {
    "cases": ("manifest.parquet", "A row a case: patient, centre, contrast phase, grid, tumour, checksums."),
    "structures": ("structures.parquet", "A row a case and structure: volume, HU, box, pieces, checksum."),
    "lesions": ("lesions.parquet", "A row a case and lesion: volume, diameters, HU."),
}
_REFERRED = "cases"
_COLUMNS = {
    "case": "The case's id: the folder's name.",
    "patient": "A code or a pseudonym; the case itself where nobody said.",
    "subset": "train (ImageTr) or test (ImageTe).",
    "phase": "Contrast phase: non-contrast, arterial, venous or delayed.",
    "age_years": "At the scan; 90 stands for 90 and more.",
    "tumour": "What the metadata says, else whether the lesion mask holds a voxel.",
    "image_sha256": "SHA-256 of the image's voxels, i fastest, little-endian.",
    "combined_sha256": "SHA-256 of the label map's voxels.",
    "runs_sha256": "SHA-256 of the mask's shape and runs.",
    "structure": "The structure's name, and that of its mask file.",
    "volume_ml": "In millilitres.",
    "hu_mean": "Of the image inside the mask: HU for CT, else arbitrary.",
    "hu_sd": "Population standard deviation of the same.",
    "components": "Pieces, where voxels that share a corner belong together.",
    "touches_border": "Whether a voxel lies on a face of the image.",
}
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        word: f"cr:{word}"
        for word in (
            *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract"),
            *("field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray"),
            *("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references"),
            *("regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
}
_MEDIA = {
    ".parquet": "application/x-parquet",
    ".toml": "application/toml",
    ".xlsx": "application/xlsx",
}
_SEVERAL = ("dataBiases", "dataUseCases", "dataLimitations", "personalSensitiveInformation")


def croissant(dataset: Dataset, card: DataCard | None = None) -> dict[str, Any]:
    """The dataset as Croissant 1.1 JSON-LD; what nobody stated is left out.

    Args:
        dataset: With its tables; without `manifest.parquet` there are no records, only files.
        card: Its answers fill the responsible-AI fields; by default those of `data_card`.

    Raises:
        ManifestError: A table is damaged.
        ConfigError: `datacard.toml` is none.

    Source:
        MLCommons, Croissant format specification 1.1; Croissant RAI specification 1.0.
    """
    return croissant_of(contents_of(dataset.root), card)


def croissant_of(contents: Contents, card: DataCard | None = None) -> dict[str, Any]:
    """The same of contents that are read already.

    Raises:
        ConfigError: As above.
    """
    told = card if card is not None else data_card(contents)
    tables = {
        name: contents.root / file for name, (file, _) in _TABLES.items() if (contents.root / file).is_file()
    }
    found = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS,
        "name": re.sub(r"[^\w .-]", "_", contents.name),
        **_about(contents, told),
        **_responsible(told),
        "distribution": [*_files(contents.root, tables), *_file_sets(contents)],
        "recordSet": [_record_set(name, path, _REFERRED in tables) for name, path in tables.items()],
    }
    return {key: value for key, value in found.items() if value not in ("", None, [])}


def _about(contents: Contents, card: DataCard) -> dict[str, Any]:
    source, answers = contents.source, {item.question.id: item for item in card.answers}

    def told(name: str) -> str:
        return answers[name].answer if answers[name].is_stated else ""

    licence = contents.description.licence or (source.licence.name if source is not None else "")
    creator, published = told("motivation.creators"), told("distribution.published")
    return {
        "description": told("general.summary"),
        "version": contents.description.version,
        "license": f"https://spdx.org/licenses/{licence}.html" if _is_spdx(licence) else licence,
        "url": told("distribution.url"),
        "datePublished": published if _DATE.fullmatch(published) else "",
        "citeAs": told("distribution.citation"),
        "creator": {"@type": "sc:Organization", "name": creator} if creator else None,
        "keywords": ["pancreas", "segmentation", *sorted(set(contents.manifest["modality"].to_pylist()))],
    }


def _is_spdx(licence: str) -> bool:
    """Whether it looks like a name of SPDX's list, such as CC-BY-4.0 or Apache-2.0."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9.+]*(-[A-Za-z0-9.+]+)+", licence))


def _responsible(card: DataCard) -> dict[str, Any]:
    """What the card says, under the words of Croissant RAI."""
    return {
        f"rai:{item.question.rai}": [item.answer] if item.question.rai in _SEVERAL else item.answer
        for item in card.answers
        if item.question.rai and item.is_stated
    }


def _files(root: Path, tables: dict[str, Path]) -> Iterator[dict[str, Any]]:
    described = {path.name: _TABLES[name][1] for name, path in tables.items()}
    described[DESCRIPTION_FILE] = "Name, version, licence and label scheme."
    for file, description in described.items():
        path = root / file
        if path.is_file():
            yield {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "description": description,
                "contentUrl": file,
                "contentSize": f"{path.stat().st_size} B",
                "encodingFormat": _MEDIA[path.suffix],
                "sha256": sha256_of_file(path),
            }


def _file_sets(contents: Contents) -> Iterator[dict[str, Any]]:
    """Images, masks and label maps, as far as there are any."""
    folders = (*LABEL_FOLDERS.values(), ALL_LABELS)
    masks = [f"{folder}/*/{MASK_FOLDER}/*{SUFFIX}" for folder in folders]
    described = contents.description
    map_file = LABEL_MAP_FILE if described.label_scheme else COMBINED_FILE
    sets: dict[str, tuple[str, Sequence[str]]] = {
        "images": (
            "The images as NIfTI, one a case; their checksums are image_sha256 in the cases.",
            [f"{folder}/*/*{SUFFIX}" for folder in IMAGE_FOLDERS.values()],
        ),
        "masks": ("A NIfTI mask a case and structure; their checksums are runs_sha256.", masks),
        "label_maps": (
            f"A NIfTI label map a case, by the scheme {described.label_scheme or described.scheme}.",
            [f"{folder}/*/{map_file}" for folder in folders],
        ),
    }
    for name, (description, patterns) in sets.items():
        there = [item for item in patterns if next(contents.root.glob(item), None) is not None]
        if there:
            yield {
                "@type": "cr:FileSet",
                "@id": name,
                "name": name,
                "description": description,
                "encodingFormat": "application/gzip",
                "includes": there,
            }


def _record_set(name: str, path: Path, has_cases: bool) -> dict[str, Any]:
    schema = pq.read_schema(path)
    found: dict[str, Any] = {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": _TABLES[name][1],
        "field": [_field(name, path.name, column, has_cases) for column in schema],
    }
    if name == _REFERRED:
        found["key"] = {"@id": f"{name}/case"}
    return found


def _field(record_set: str, file: str, column: pa.Field, has_cases: bool) -> dict[str, Any]:
    kind, is_list = column.type, pa.types.is_list(column.type)
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "description": _COLUMNS.get(column.name, f"Column {column.name}."),
        "dataType": _data_type(kind.value_type if is_list else kind),
        "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
    }
    if is_list:
        found |= {"isArray": True, "arrayShape": "-1"}
    if column.name == "case" and has_cases and record_set != _REFERRED:
        found["references"] = {"field": {"@id": f"{_REFERRED}/case"}}
    return found


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
