"""One run at a time: a lock that ends with its process."""

import os
import subprocess
import sys

import pytest

from wirsung.compute.locks import locked, try_to_lock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks are of Unix")

HOLDER = """
import sys
from pathlib import Path
from wirsung.compute.locks import locked
with locked(Path(sys.argv[1])) as is_sole:
    print(is_sole, flush=True)
    sys.stdin.read()
"""


def test_another_process_keeps_this_one_out_until_it_is_killed(tmp_path):
    path = tmp_path / "deep" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "True\n"
    with locked(path) as is_sole:
        assert not is_sole
    holder.kill()
    holder.communicate()
    with locked(path) as is_sole:
        assert is_sole


def test_a_disk_without_locks_keeps_nobody_out():
    near, far = os.pipe()
    os.close(near)
    os.close(far)
    assert try_to_lock(far)
