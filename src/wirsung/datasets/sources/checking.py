"""What must hold of a source beyond the types of its values."""

import re

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.layout import MODALITIES
from wirsung.datasets.sources.source import Part, Source
from wirsung.errors import ConfigError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_COLUMNS = ("patient", "centre", "phase", "sex", "age_years", "manufacturer", "subset", "tumour")
"""Of the manifest, those that a source's table may fill."""


def check_source(found: Source, file_name: str) -> None:
    """Pass where every name exists and every pattern is whole.

    Raises:
        ConfigError: One is not; the message names it.
        LabelError: The scheme claims structures that are none.
    """
    for problem in (*_label_problems(found), *_layout_problems(found), *_file_problems(found)):
        msg = f"{file_name}: {problem}. Mend it."
        raise ConfigError(msg)


def _label_problems(found: Source) -> list[str]:
    problems = []
    parts = [part for layout in found.layouts for part in layout.parts]
    if any(part.label for part in parts) and not found.label_scheme:
        problems.append("it has label maps but no label_scheme")
    if any(part.masks for part in parts) and not found.annotated_masks:
        problems.append("it has masks but does not say which are annotated (annotated_masks)")
    if found.label_scheme:
        made = scheme(found.label_scheme)
        silent = [name for name in made.foreign if name not in made.dropped]
        problems += [
            f"the class {name!r} of {made.name} maps to nothing, but dropped lacks it" for name in silent
        ]
    targets = [name for name in found.mask_names if name not in structures()]
    problems += [f"mask_names: there is no structure {name!r}" for name in targets]
    renamed = found.mask_names
    if len(set(renamed.values())) < len(renamed):
        problems.append("mask_names: two structures are named by one mask, so one of them would be wrong")
    # liver = "spleen", spleen = "liver" is a mistake; a name that moves on is not.
    circular = [name for name in renamed if renamed.get(renamed[name]) == name and renamed[name] != name]
    if circular:
        problems.append(f"mask_names: {' and '.join(sorted(circular))} are named for each other, in a circle")
    return problems


def _layout_problems(found: Source) -> list[str]:
    problems = [problem for layout in found.layouts for part in layout.parts for problem in _odd_in(part)]
    if not found.layouts and not found.advice:
        problems.append("it has neither layouts nor advice, so nobody can import it")
    if "{case}" not in found.id_template:
        problems.append("id_template has no {case}")
    if found.table is not None:
        known = ", ".join(_COLUMNS)
        odd = [column for column in found.table.columns if column not in _COLUMNS]
        problems += [f"table: {column!r} is no column of the manifest, which has {known}" for column in odd]
    return problems


def _odd_in(part: Part) -> list[str]:
    problems = []
    if part.modality not in MODALITIES:
        problems.append(f"the modality {part.modality!r} is none of {', '.join(MODALITIES)}")
    if bool(part.image) == bool(part.series):
        problems.append("a part has either image or series")
    images = part.image or part.series
    for pattern, needed in ((images, "{case}"), (part.label, "{case}"), (part.masks, "{mask}")):
        if pattern and needed not in pattern:
            problems.append(f"the pattern {pattern!r} has no {needed}")
    try:
        re.compile(part.case)
    except re.error as error:
        problems.append(f"the pattern of a case {part.case!r} is no regular expression ({error})")
    return problems


def _file_problems(found: Source) -> list[str]:
    problems = []
    for item in found.downloads:
        if item.sha256 and not _SHA256.fullmatch(item.sha256):
            problems.append(f"downloads: the sha256 of {item.file} is not 64 hexadecimal digits")
        if item.md5 and not _MD5.fullmatch(item.md5):
            problems.append(f"downloads: the md5 of {item.file} is not 32 hexadecimal digits")
        if not item.url.startswith(("http://", "https://")):
            problems.append(f"downloads: {item.url!r} is no URL")
        if "/" in item.file or "\\" in item.file or item.file.startswith("."):
            problems.append(f"downloads: {item.file!r} is no plain file name")
    return problems
