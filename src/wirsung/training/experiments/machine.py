"""Where and by what a run was made: machine, device, version, commit; no name and no path."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from wirsung import __version__


def provenance(device: str) -> dict[str, Any]:
    """What a record says of the machine and the software that made it.

    Args:
        device: As the settings have it; auto is resolved.
    """
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "wirsung": __version__,
        "commit": commit(),
        "machine": {
            "processor": _processor(),
            "cores": _cores(),
            "threads": os.environ.get("OMP_NUM_THREADS", ""),
            "device": device_name(device),
            "python": platform.python_version(),
        },
    }


@cache
def commit() -> str:
    """The commit of the checkout that runs, short, with + where it was changed since; empty without one."""
    here = Path(__file__).resolve().parent
    said = _git(here, "rev-parse", "--short", "HEAD")
    if not said or _git(here, "ls-files", "--error-unmatch", Path(__file__).name) == "":
        return ""
    return said + ("+" if _git(here, "status", "--porcelain", "--", "../..") else "")


def device_name(device: str) -> str:
    """What auto stands for here, with the name of the GPU."""
    from wirsung.models.device import choose_device

    chosen = choose_device(device)
    if chosen.type != "cuda":
        return str(chosen.type)
    import torch

    return f"cuda ({torch.cuda.get_device_name(chosen)})"


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
