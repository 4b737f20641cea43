import shutil

import pytest

from wirsung.datasets.fetching.room import check_free
from wirsung.errors import StorageError


def test_a_folder_to_be_made_is_judged_by_the_disk_it_will_lie_on(tmp_path):
    check_free(tmp_path / "not" / "yet", 1, "a byte")
    with pytest.raises(StorageError, match=r"a lot takes 1000000\.0 TB, but only .* are free"):
        check_free(tmp_path / "not" / "yet", 10**18, "a lot")


def test_a_little_stays_free(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000_000))
    check_free(tmp_path, 30_000_000, "x")
    with pytest.raises(StorageError, match=r"x takes 40\.0 MB, but only 100\.0 MB are free"):
        check_free(tmp_path, 40_000_000, "x")
