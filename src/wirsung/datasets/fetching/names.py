"""Which names from outside may become files: none that leads out, none that some disk can't hold."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789")]
)
_FORBIDDEN = frozenset('<>:"|?*\\')
_LONGEST = 255
"""Bytes of one name on every common file system."""


def why_refused(name: str) -> str | None:
    """What is wrong with a relative path that comes from outside; None where nothing is.

    Windows' rules count everywhere, so that a dataset unpacked on one machine can be copied to any other.

    Example:
        >>> why_refused("ImageTr/case-1/ct.nii.gz")
        >>> why_refused("../../etc/passwd")
        'leads out of the folder'
        >>> why_refused("C:/x"), why_refused("aux.txt")
        ('holds a character that Windows refuses', 'is a device on Windows')
    """
    if not name.strip("/"):
        return "is empty"
    if name.startswith("/"):
        return "is absolute"
    for part in name.rstrip("/").split("/"):
        why = _why_part(part)
        if why:
            return why
    return None


def _why_part(part: str) -> str | None:
    if part == "..":
        return "leads out of the folder"
    if not part.isprintable() and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in part):
        return "holds a control character"
    if _FORBIDDEN.intersection(part):
        return "holds a character that Windows refuses"
    if part != "." and part.endswith((".", " ")):
        return "ends with a dot or a space, which Windows drops"
    if part.split(".")[0].rstrip(" ").casefold() in _DEVICES:
        return "is a device on Windows"
    return "is too long" if len(part.encode()) > _LONGEST else None


def clash(paths: Iterable[PurePosixPath]) -> tuple[PurePosixPath, PurePosixPath] | None:
    """Two paths that are one where case or the composition of accents doesn't count; None without any.

    A folder may be named by many paths, but always in the same letters, and never as a file.

    Example:
        >>> clash([PurePosixPath("a/ct.nii"), PurePosixPath("A/mask.nii")])
        (PurePosixPath('a'), PurePosixPath('A'))
    """
    files: dict[str, PurePosixPath] = {}
    folders: dict[str, PurePosixPath] = {}
    for path in paths:
        key = _folded(path)
        other = files.get(key) or folders.get(key)
        if other is not None:
            return other, path
        files[key] = path
        for parent in path.parents[:-1]:
            key = _folded(parent)
            known = folders.setdefault(key, parent)
            if known != parent or key in files:
                return files.get(key, known), path if key in files else parent
    return None


def is_junk(path: PurePosixPath) -> bool:
    """Whether a desktop left the file there: `__MACOSX/`, `._name`, `.DS_Store`, `Thumbs.db`.

    Example:
        >>> is_junk(PurePosixPath("__MACOSX/Task07/._x.nii.gz")), is_junk(PurePosixPath("Task07/x.nii.gz"))
        (True, False)
    """
    return "__MACOSX" in path.parts or path.name.startswith("._") or path.name in (".DS_Store", "Thumbs.db")


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", str(path)).casefold())
