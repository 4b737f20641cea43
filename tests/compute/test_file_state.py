"""What tells one file from another."""

import os

import pytest

from wirsung.compute.file_state import sha256_of_file, state_of_file


def test_the_checksum_of_three_letters_is_that_of_the_standard(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-4, the example of one block
    assert sha256_of_file(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_the_state_is_name_size_and_time(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(bytes(5))
    os.utime(path, ns=(1, 2_000_000_000))
    assert state_of_file(path) == ["a.nii", 5, 2_000_000_000]


def test_another_time_or_size_is_another_state(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(5))
    before = state_of_file(path)
    os.utime(path, ns=(1, 3))
    assert state_of_file(path) != before


@pytest.mark.parametrize("asked", [sha256_of_file, state_of_file])
def test_a_file_that_is_not_there_is_an_error(tmp_path, asked):
    with pytest.raises(FileNotFoundError):
        asked(tmp_path / "none")
