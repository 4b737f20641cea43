"""Pseudonyms: keyed, so that nobody without the key can try out names or record numbers."""

import os
import secrets
import tempfile
from pathlib import Path

from wirsung.curation.deidentification.identifiers import keyed_digest
from wirsung.errors import ConfigError, StorageError

_DIGITS = 12
_KEY_BYTES = 32


def key_path(out: Path) -> Path:
    """Where the key of a dataset lies: beside the dataset, never inside it.

    Example:
        >>> key_path(Path("/data/pancreas")).as_posix()
        '/data/pancreas.key'
    """
    out = out.resolve()
    return out.with_name(f"{out.name}.key")


def load_key(path: Path) -> bytes:
    """The key in that file, which is made on first use, for the owner's eyes only (mode 0600).

    Raises:
        ConfigError: The file holds no key.
        StorageError: It can't be written.
    """
    if not path.exists():
        _make_key(path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        key = b""
        problem: Exception | None = error
    else:
        problem = None
    if len(key) != _KEY_BYTES:
        msg = (
            f"{path} holds no key of {2 * _KEY_BYTES} hex digits. Restore it from your backup; with another "
            "key, every pseudonym changes. Delete it to begin anew."
        )
        raise ConfigError(msg) from problem
    return key


def pseudonym(key: bytes, purpose: str, value: str) -> str:
    """The first letter of the purpose and 12 hex digits of HMAC-SHA256; the same for the same value and key.

    Spaces at both ends don't count, as DICOM pads with them. With 48 bits, two of 36,390 patients
    share one with a chance of 2 in a million.

    Source:
        The digest is `keyed_digest`'s.

    Example:
        >>> pseudonym(bytes(32), "patient", "4711")
        'pe2896dcf5d40'
        >>> pseudonym(bytes(32), "patient", " 4711") == pseudonym(bytes(32), "patient", "4711")
        True
    """
    return purpose[0] + keyed_digest(key, purpose, value).hex()[:_DIGITS]


def _make_key(path: Path) -> None:
    """Written whole under another name and then linked, so that a key is never half and never overwritten."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix=".key", dir=path.parent)  # mode 0600
        partial = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: the key can't be written ({error.strerror}). Choose another output."
        raise StorageError(msg) from error
