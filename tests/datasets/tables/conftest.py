"""A small dataset's tables, to be told in a paper."""

import pytest

from wirsung.datasets.manifest import (
    ManifestRow,
    StructureRow,
    read_manifest,
    read_structures,
    write_manifest,
    write_structures,
)


def row(case, **known):
    return ManifestRow(case, case, spacing_i_mm=0.8, spacing_j_mm=0.8, spacing_k_mm=2.5, **known)


def measured(case, structure, volume_ml, hu, components=1):
    return StructureRow(case, structure, volume_ml, hu, 1.0, *[None] * 6, components, False, "")


@pytest.fixture
def tables(tmp_path):
    write_manifest(
        tmp_path,
        [
            row("a", sex="F", age_years=60, phase="venous", tumour=True),
            row("b", sex="M", age_years=70, phase="arterial", tumour=False),
            row("c", phase="venous", tumour=False),
            row("d", sex="F", age_years=50, phase="venous", tumour=True),
        ],
    )
    write_structures(
        tmp_path,
        [
            measured("d", "pancreatic_lesion", 4.0, 40.0, components=3),
            measured("a", "pancreas", 80.0, 100.0),
            measured("a", "pancreatic_lesion", 2.0, 60.0),
            measured("b", "pancreatic_lesion", 0.0, None, components=0),
            measured("b", "pancreas", 70.0, 90.0),
        ],
    )
    return read_manifest(tmp_path), read_structures(tmp_path)
