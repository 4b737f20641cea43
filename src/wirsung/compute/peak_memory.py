"""The most memory that this process has held."""

import re
import sys
from pathlib import Path

if sys.platform != "win32":
    import resource


def forget_peak() -> bool:
    """Let the peak begin anew at what is held now; False where the system can't, which only Linux can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_bytes() -> int:
    """The most memory in RAM since the peak was forgotten, else since the start; 0 where nothing tells."""
    found = told_bytes("VmHWM")
    if found is not None or sys.platform == "win32":
        return found or 0
    # In bytes on macOS, in kilobytes elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def told_bytes(key: str) -> int | None:
    """What Linux says of this process, such as VmHWM (the peak) or VmRSS (now); None elsewhere.

    Source:
        proc_pid_status(5).
    """
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
