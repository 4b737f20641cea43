"""Rules of the metadata against the masks."""

from collections.abc import Iterator

from wirsung.curation.audit.facts import Facts
from wirsung.curation.audit.judging import Breach, judges

_LESION, _PROSTATE = "pancreatic_lesion", "prostate"


@judges("flag_without_lesion", needs_body=False)
def flag_without_lesion(facts: Facts) -> Iterator[Breach]:
    """What the metadata call a tumour has a lesion."""
    if facts.row and facts.row.tumour is True and _LESION in facts.structures and not facts.size(_LESION):
        yield Breach("the metadata say tumour, but the mask is empty.", _LESION, shown=("pancreas",))


@judges("lesion_without_flag", needs_body=False)
def lesion_without_flag(facts: Facts) -> Iterator[Breach]:
    """What the metadata call free of tumour has no lesion."""
    size = facts.size(_LESION)
    if facts.row and facts.row.tumour is False and size:
        yield Breach(f"the metadata say no tumour, but {size} voxels are lesion.", _LESION, size)


@judges("sex_prostate")
def sex_prostate(facts: Facts) -> Iterator[Breach]:
    """A woman has no prostate."""
    if facts.row and facts.row.sex == "F" and facts.size(_PROSTATE):
        size = facts.size(_PROSTATE)
        yield Breach(f"the metadata say F, but {size} voxels are prostate.", _PROSTATE, size)


@judges("shape_differs", needs_body=False)
def shape_differs(facts: Facts) -> Iterator[Breach]:
    """The image has the shape that the release's table says, in whatever order of axes."""
    row = facts.row
    if row is None or None in (row.shape_i, row.shape_j, row.shape_k) or facts.image is None:
        return
    told = (row.shape_i, row.shape_j, row.shape_k)
    if sorted(facts.shape) != sorted(int(length or 0) for length in told):
        yield Breach(f"it has {facts.shape} voxels in RPS order, but the metadata say {told}.")
