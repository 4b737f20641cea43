import pytest

from wirsung.datasets.fetching.download import measured
from wirsung.datasets.fetching.record import RECORD_FILE, Record, entry_of, read_record, write_record
from wirsung.datasets.fetching.transfer import Wanted
from wirsung.errors import ManifestError


@pytest.fixture
def entry(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    return entry_of(measured(tmp_path / "a.bin"), Wanted("http://x/a.bin", "a.bin"))


def test_a_record_is_read_back_the_same(tmp_path, entry):
    record = Record("mine").with_entry("a.bin", entry)
    write_record(tmp_path, record)
    assert read_record(tmp_path, "mine") == record
    # sha256sum of "abc", FIPS 180-2, appendix B.1
    assert entry.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert entry.compared_with == "nothing"
    assert entry.is_untouched(tmp_path / "a.bin")


@pytest.mark.parametrize(
    ("known", "compared"),
    [({"md5": "x", "total_bytes": 3}, "md5"), ({"total_bytes": 3}, "size"), ({"sha256": "x"}, "sha256")],
)
def test_a_record_says_what_a_file_was_held_against(tmp_path, entry, known, compared):
    assert entry_of(measured(tmp_path / "a.bin"), Wanted("u", "a.bin", **known)).compared_with == compared


def test_another_sources_folder_is_refused(tmp_path):
    write_record(tmp_path, Record("pants"))
    with pytest.raises(ManifestError, match="holds the files of pants, not of kits"):
        read_record(tmp_path, "kits")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1, "source": "a", "files": {"x": {}}}'])
def test_a_damaged_record_says_what_to_do(tmp_path, text):
    (tmp_path / RECORD_FILE).write_text(text)
    with pytest.raises(ManifestError, match=r"is damaged\. Remove it"):
        read_record(tmp_path, "a")


def test_a_newer_record_is_not_read(tmp_path):
    (tmp_path / RECORD_FILE).write_text('{"schema": 9, "source": "a", "files": {}}')
    with pytest.raises(ManifestError, match="has schema 9"):
        read_record(tmp_path, "a")
