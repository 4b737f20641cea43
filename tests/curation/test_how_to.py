"""The how-to tells of every option and of every code that a verdict may have."""

import re
from dataclasses import fields
from pathlib import Path

from wirsung.curation.settings import CurateSettings
from wirsung.curation.verdicts import REPAIRS, SET_ASIDE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/how-to/curate.md").read_text(encoding="utf-8")


def test_every_option_of_curate_is_in_the_how_to():
    options = [f"--{item.name.replace('_', '-')}" for item in fields(CurateSettings)]
    missing = [name for name in options if name not in TEXT]
    assert missing == ["--source", "--out"]  # SRC and OUT


def test_every_code_of_a_verdict_is_in_the_how_to():
    refusals = set()
    for path in (ROOT / "src/wirsung/imaging").glob("dicom*.py"):
        source = path.read_text(encoding="utf-8")
        refusals |= set(re.findall(r'Problem\(\s*"([A-Z_]+)"', source))
        refusals |= set(re.findall(r'code="([A-Z_]+)"', source))
    assert {"SLICE_GAP", "TILT", "PIXELS_TRUNCATED", "NO_RESCALE"} <= refusals
    told = set(re.findall(r"`([A-Z_]+)`", TEXT))
    assert {*REPAIRS, *SET_ASIDE, *refusals} - told == set()
