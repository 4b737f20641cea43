"""Fixtures that every test may use."""

import ctypes
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a test that is slow because the machine is busy is no failure.
# The same examples everywhere, so that a failure is of the change at hand; HYPOTHESIS=explore seeks new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS", "steady"))

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans that WIRSUNG_TEST_DATA names, by default ../shared/data."""
    folder = Path(os.environ.get("WIRSUNG_TEST_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real scans at {folder}; CONTRIBUTING.md says what belongs there")
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A file system of so many kilobytes, where this machine lets us mount one."""
    folder = tmp_path / "small"
    libc = ctypes.CDLL(None, use_errno=True)

    def mounted(kilobytes):
        folder.mkdir()
        size = f"size={kilobytes}k".encode()
        if not hasattr(libc, "mount") or libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, size) != 0:
            pytest.skip("mounting a small file system needs root on Linux")
        return folder

    yield mounted
    if folder.is_mount():
        libc.umount(bytes(folder))


@pytest.fixture
def start_dask():
    """A scheduler and workers without nannies, each a process: a block that yields address and processes."""
    return _dask_on_loopback


@contextmanager
def _dask_on_loopback(folder, workers=3, threads=1):
    processes, file = [], folder / "scheduler.json"

    def start(module, *options):
        command = [sys.executable, "-m", module, "--scheduler-file", str(file), "--no-dashboard", *options]
        log = (folder / f"dask-{len(processes)}.log").open("w")
        processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
        log.close()

    try:
        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        for _ in range(workers):
            start("distributed.cli.dask_worker", "--nthreads", str(threads), "--no-nanny")
        yield _address_in(file), processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _address_in(file):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return json.loads(file.read_text())["address"]
        except (OSError, ValueError):
            time.sleep(0.05)
    pytest.fail("the scheduler did not start")


@pytest.fixture
def imported(tmp_path):
    """A function that imports the small fake of a source and returns the dataset's folder."""

    def bring(source, build=None):
        from wirsung.datasets.importing.run import import_source
        from wirsung.datasets.importing.settings import ImportSettings

        folder = str(ROOT / "tests/datasets/importing")
        if folder not in sys.path:
            sys.path.insert(0, folder)
        from source_fakes import FAKES

        raw = tmp_path / "raw"
        build = build or next(fake.build for fake in FAKES if fake.source == source)
        build(raw)
        import_source(ImportSettings(source, raw, tmp_path / "imported"))
        return tmp_path / "imported"

    return bring
