"""Where, when and on what a figure was measured: every benchmark ends with `record`."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def machine() -> dict[str, Any]:
    """Processor, cores, memory and Python of this machine; no name and no path."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory_gb),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def record(name: str, figures: dict[str, Any]) -> Path:
    """Write `results/<name>.json` and print it."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    content = {
        "benchmark": name,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "machine": machine(),
        "figures": figures,
    }
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))
    return path


def add_parts(name: str, parts: dict[str, dict[str, Any]]) -> Path:
    """Record parts of a benchmark, each with its date, beside those that this machine measured before.

    So a long run that is cut off keeps what it has.
    """
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    figures = known["figures"] if known.get("machine") == machine() else {}
    today = datetime.now(UTC).date().isoformat()
    return record(name, figures | {part: {"date": today, **own} for part, own in parts.items()})


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
