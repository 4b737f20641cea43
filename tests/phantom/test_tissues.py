"""Tissue codes and the structures that they make up."""

from wirsung.anatomy.structures import parts, structures
from wirsung.phantom.tissues import TISSUES, Tissue


def test_every_structure_has_its_tissues_in_the_official_order():
    assert tuple(TISSUES) == tuple(structures())


def test_codes_are_shared_only_within_the_pancreas():
    owners = {
        code: [name for name in TISSUES if code in TISSUES[name]]
        for code in Tissue
        if any(code in c for c in TISSUES.values())
    }
    for names in owners.values():
        assert len(names) == 1 or set(names) <= {"pancreas", *parts("pancreas")}


def test_head_body_and_tail_tile_the_pancreas():
    regions = [set(TISSUES[f"pancreas_{part}"]) for part in ("head", "body", "tail")]
    assert set.union(*regions) == set(TISSUES["pancreas"])
    assert sum(map(len, regions)) == len(TISSUES["pancreas"])
