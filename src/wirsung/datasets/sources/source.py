"""What is known of a public source of scans: its licence, files, labels and layout, as read from its TOML."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wirsung.anatomy.schemes import Scheme, scheme


@dataclass(frozen=True)
class Licence:
    """What the licence allows; None where nobody said.

    Example:
        >>> Licence("CC-BY-4.0", True, True, None).describe()
        'CC-BY-4.0: redistribution yes, derivatives yes, commercial use unknown'
    """

    name: str = ""
    """An SPDX name where there is one; empty where unknown."""
    redistribution: bool | None = None
    """Whether the files may be passed on."""
    derivatives: bool | None = None
    """Whether changed files may be passed on."""
    commercial: bool | None = None
    note: str = ""
    source: str = ""
    """Where it was read."""

    def describe(self) -> str:
        """One line for people."""
        words = {True: "yes", False: "no", None: "unknown"}
        return (
            f"{self.name or 'licence unknown'}: redistribution {words[self.redistribution]}, "
            f"derivatives {words[self.derivatives]}, commercial use {words[self.commercial]}"
        )


@dataclass(frozen=True)
class Download:
    """One file that can be had by its URL."""

    url: str
    file: str
    """The name to keep it under."""
    sha256: str = ""
    md5: str = ""
    bytes: int | None = None
    content: str = ""
    """What is in it, for people."""
    folder: str = ""
    """The folder that it is unpacked into; empty for the source's own."""
    source: str = ""
    """Where checksum and size were read."""


@dataclass(frozen=True)
class Erratum:
    """Something known to be wrong."""

    what: str
    cases: tuple[str, ...] = ()
    """Ids of the cases, where they are known."""
    source: str = ""


@dataclass(frozen=True)
class Overlap:
    """Scans that are in another source too."""

    other: str
    """The other source's name."""
    what: str
    scans: int | None = None
    """How many; None where unknown."""
    source: str = ""


@dataclass(frozen=True)
class Part:
    """Images of one side and modality, and where their labels are.

    Patterns are paths from the folder's root, with `{case}` for the case, `{mask}` for a mask's name,
    `{patient}` for the patient, `*` for anything within a name, and `**/` for any folders.
    """

    image: str = ""
    series: str = ""
    """In place of image: pattern of the DICOM files of a series, which curation has to read first."""
    subset: str = "train"
    modality: str = "ct"
    label: str = ""
    """Pattern of the label map; empty without one."""
    masks: str = ""
    """Pattern of the masks, with `{mask}`; empty without them."""
    pictures: str = ""
    """Of a series, pattern of its labels where they are one grey picture a slice."""
    case: str = r"[A-Za-z0-9_-][A-Za-z0-9._-]*?"
    """What `{case}` looks like, as a regular expression."""


@dataclass(frozen=True)
class Layout:
    """One way in which the source's folder comes."""

    name: str
    parts: tuple[Part, ...]

    @property
    def is_dicom(self) -> bool:
        """Whether its images are series that curation has to read first."""
        return any(part.series for part in self.parts)


@dataclass(frozen=True)
class Table:
    """The source's own table of its cases."""

    file: str
    """Pattern of its path."""
    case: str
    """The column that names the case."""
    kind: str = "plain"
    """plain: .csv, .xlsx or .json by its columns; pants: the table of a PanTS release."""
    delimiter: str = ","
    case_format: str = "{}"
    """The source's id of the case, made of the column's text."""
    columns: Mapping[str, str] = ()  # type: ignore[assignment]
    """The manifest's column to the table's."""
    words: Mapping[str, Mapping[str, str]] = ()  # type: ignore[assignment]
    """Of a manifest's column, the table's word (lower case) to ours."""


@dataclass(frozen=True)
class Source:
    """A public source of scans.

    Example:
        >>> from wirsung.datasets.sources import source_named
        >>> source_named("msd-pancreas").annotated
        ('pancreas', 'pancreatic_lesion')
    """

    name: str
    title: str
    licence: Licence
    layouts: tuple[Layout, ...]
    """Empty where the source comes as DICOM; `advice` says what to do then."""
    homepage: str = ""
    citation: str = ""
    doi: str = ""
    patients: int | None = None
    scans: int | None = None
    centres: int | None = None
    modalities: tuple[str, ...] = ("ct",)
    label_scheme: str = ""
    """Of its label maps: a built-in scheme or the path of a TOML; empty for masks."""
    label_grid: str = "own"
    """own, or image: a label map lies where its image does, whatever its own header says."""
    partial: bool = False
    """Whether each case has only some of the structures, so that only what is drawn counts as annotated."""
    mask_names: Mapping[str, str] = ()  # type: ignore[assignment]
    """Our name to the source's, of masks that it calls otherwise."""
    unions: Mapping[str, tuple[str, ...]] = ()  # type: ignore[assignment]
    """Our structures that are several of its masks together, such as a lung of its lobes."""
    annotated_masks: tuple[str, ...] = ()
    """Structures that every case has a mask of, by our names; empty for label maps."""
    id_template: str = "{case}"
    """Our id of a case; `{case}` is the source's."""
    patient_pattern: str = ""
    """The patient is what the group holds of the source's id; empty where each case counts as one."""
    centre_pattern: str = ""
    """The centre is what the group holds of the source's id; empty where the id does not tell."""
    table: Table | None = None
    downloads: tuple[Download, ...] = ()
    access: str = ""
    """How to get the files where no URL serves them, for people."""
    advice: str = ""
    """What to do before importing, for people."""
    marks: tuple[str, ...] = ()
    """Patterns of files by which a folder of it is known that can't be imported as it is, such as DICOM."""
    errata: tuple[Erratum, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    facts_source: str = ""
    """Where patients, scans, centres and labels were read."""

    @property
    def scheme(self) -> Scheme | None:
        """The scheme of its label maps; None for masks."""
        return scheme(self.label_scheme) if self.label_scheme else None

    @property
    def annotated(self) -> tuple[str, ...]:
        """The structures and foreign classes that its labels tell; what is not here, nobody drew."""
        found = self.scheme
        return (*self.annotated_masks, *self.unions) if found is None else found.mask_names()

    @property
    def doi_url(self) -> str:
        """The DOI as a link; empty without one."""
        return f"https://doi.org/{self.doi}" if self.doi else ""

    def case_id(self, own: str) -> str:
        """Our id of the source's case."""
        return self.id_template.format(case=own)

    def patient(self, own: str) -> str | None:
        """The patient that the source's id tells; None where it does not."""
        return _told(self.patient_pattern, own)

    def centre(self, own: str) -> str | None:
        """The centre that the source's id tells; None where it does not."""
        return _told(self.centre_pattern, own)

    def as_json(self) -> dict[str, Any]:
        """What `wirsung import --list --json` tells."""
        return {
            "name": self.name,
            "title": self.title,
            "licence": self.licence.name,
            "scans": self.scans,
            "modalities": list(self.modalities),
            "annotated": list(self.annotated),
        }


def _told(pattern: str, own: str) -> str | None:
    match = re.match(pattern, own) if pattern else None
    return match.group(1) if match else None
