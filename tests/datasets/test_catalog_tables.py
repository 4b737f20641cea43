import numpy as np
import pyarrow.parquet as pq
import pytest

from wirsung.datasets.catalog_tables import (
    FingerprintRow,
    LesionRow,
    fingerprints_table,
    lesions_table,
    profiles_of,
    read_fingerprints,
    read_lesions,
)
from wirsung.errors import ManifestError


def test_rows_are_read_as_they_were_written(tmp_path):
    lesion = LesionRow("a", "pancreatic_lesion", 1, 1.5, 20.0, 18.0, 33.0, 4.0)
    mark = FingerprintRow("a", "files", True, "rps", "values", bytes(64))
    pq.write_table(lesions_table([lesion]), tmp_path / "lesions.parquet")
    pq.write_table(fingerprints_table([mark]), tmp_path / "fingerprints.parquet")
    assert LesionRow(**read_lesions(tmp_path).to_pylist()[0]) == lesion
    assert FingerprintRow(**read_fingerprints(tmp_path).to_pylist()[0]) == mark


def test_profiles_are_the_stored_levels_and_none_where_a_scan_has_none():
    levels = np.random.default_rng(0).integers(0, 251, (5, 64)).astype(np.uint8)
    rows = [
        FingerprintRow("a", "", True, "", "", None),
        FingerprintRow("b", "", False, "", "", levels.tobytes()),
    ]
    profiles = profiles_of(fingerprints_table(rows))
    assert profiles.bounds.tolist() == [0, 0, 5]
    assert profiles.is_ct.tolist() == [True, False]
    np.testing.assert_array_equal(profiles.of_scan(1), levels)


@pytest.mark.parametrize("read", [read_lesions, read_fingerprints])
def test_a_missing_table_says_which_verb_makes_it(tmp_path, read):
    with pytest.raises(ManifestError, match=f"Make it with: wirsung catalog {tmp_path}"):
        read(tmp_path)
