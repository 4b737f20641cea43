import hashlib
import hmac
import re
import stat

import pytest

from wirsung.curation.pseudonyms import key_path, load_key, pseudonym
from wirsung.errors import ConfigError


def test_a_pseudonym_is_the_hmac_of_purpose_and_value():
    key = bytes(range(32))
    expected = hmac.new(key, b"patient\x004711", hashlib.sha256).hexdigest()[:12]
    assert pseudonym(key, "patient", "4711") == f"p{expected}"


def test_pseudonyms_differ_by_key_value_and_purpose():
    one, other = bytes(32), bytes([1] * 32)
    made = [
        pseudonym(one, "patient", "4711"),
        pseudonym(other, "patient", "4711"),
        pseudonym(one, "patient", "4712"),
        pseudonym(one, "centre", "4711"),
    ]
    assert len({item[1:] for item in made}) == 4
    assert all(re.fullmatch("[pc][0-9a-f]{12}", item) for item in made)


def test_the_key_is_made_once_for_the_owner_alone(tmp_path):
    path = key_path(tmp_path / "dataset")
    assert path == tmp_path / "dataset.key"
    key = load_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == key
    assert [item.name for item in tmp_path.iterdir()] == ["dataset.key"]
    path.unlink()
    assert load_key(path) != key


@pytest.mark.parametrize("content", ["", "00", "zz" * 32])
def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "dataset.key"
    path.write_text(content)
    with pytest.raises(ConfigError, match="holds no key"):
        load_key(path)
    assert path.read_text() == content
