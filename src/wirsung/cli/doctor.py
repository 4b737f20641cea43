"""Does this machine have what the stages need? Each finding says what to do."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import tyro

from wirsung.compute.cases import Outcome, default_workers

_NEEDED = {"nibabel": "", "pydicom": "", "openjpeg": "", "pyarrow": "", "torch": "train", "nnunetv2": "train"}
_MEMORY_GB = 6
_FREE_GB = 10


@dataclass(frozen=True)
class DoctorSettings:
    """Check this installation and this machine."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")] = Path()
    """Where outputs will go; its free space is checked."""


@dataclass(frozen=True)
class Diagnosis:
    """One outcome per thing checked."""

    noun = "check"
    outcomes: list[Outcome[str]]

    def lines(self) -> list[str]:
        """For the terminal."""
        return [f"  {item.case:<10}{item.value}" for item in self.outcomes if item.value]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"found": {item.case: item.value for item in self.outcomes}}


def doctor(settings: DoctorSettings) -> Diagnosis:
    """Look at Python, packages, cores, memory, free space and the GPU."""
    packages = [_package(name, extra) for name, extra in _NEEDED.items()]
    return Diagnosis([_python(), *packages, _machine(), _space(settings.folder), _gpu()])


def _python() -> Outcome[str]:
    found = ".".join(map(str, sys.version_info[:3]))
    return Outcome("python", "done", value=found)


def _package(name: str, extra: str) -> Outcome[str]:
    if find_spec(name):
        return Outcome(name, "done", value="installed")
    what = f"'wirsung[{extra}]'" if extra else "wirsung"
    return Outcome(name, "failed", f"not installed. Install it with: pip install {what}")


def _machine() -> Outcome[str]:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = f"{default_workers()} cores, {memory_gb:.0f} GB of memory"
    if memory_gb < _MEMORY_GB:
        return Outcome("machine", "failed", f"{found}; training the demo needs {_MEMORY_GB} GB.", found)
    return Outcome("machine", "done", value=found)


def _space(folder: Path) -> Outcome[str]:
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 2**30
    found = f"{free_gb:.0f} GB free"
    if free_gb < _FREE_GB:
        return Outcome(
            "disk", "failed", f"{found}, but {_FREE_GB} GB are wanted. Choose another folder.", found
        )
    return Outcome("disk", "done", value=found)


def _gpu() -> Outcome[str]:
    driver = shutil.which("nvidia-smi")
    return Outcome(
        "gpu", "done", value="an NVIDIA driver is here" if driver else "none: the CPU will be used"
    )
