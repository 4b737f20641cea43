"""Identifiers that stand for the original ones, made with a key that stays outside the dataset.

Without the key nobody can list record numbers and try them out, as anybody can with plain hashes.
"""

import hashlib
import hmac

UID_ROOT = "2.25."
_UID_BYTES = 16
_PADDING = " \0\t\r\n\v\f"


def keyed_digest(key: bytes, purpose: str, value: str) -> bytes:
    """HMAC-SHA256 of the purpose, a zero byte and the value without the spaces that DICOM pads with.

    Source:
        RFC 2104; the purpose keeps a patient and a centre of the same text apart.

    Example:
        >>> keyed_digest(bytes(32), "patient", " 4711").hex()[:12]
        'e2896dcf5d40'
    """
    content = f"{purpose}\0{_trimmed(value)}".encode("utf-8", "surrogateescape")
    return hmac.new(key, content, hashlib.sha256).digest()


def new_uid(key: bytes, uid: str) -> str:
    """The UID that stands for another one: at most 44 characters, always the same for the same key.

    Source:
        DICOM PS3.5 B.2: `2.25.` and a number of 128 bits in decimal.

    Example:
        >>> len(new_uid(bytes(32), "1.2.840.113619.2.1")) <= 44
        True
        >>> new_uid(bytes(32), "1.2.3 ") == new_uid(bytes(32), "1.2.3")
        True
    """
    number = int.from_bytes(keyed_digest(key, "uid", uid)[:_UID_BYTES], "big")
    return f"{UID_ROOT}{number}"


def _trimmed(value: str) -> str:
    """Without padding: spaces for texts, a zero for UIDs."""
    return value.strip(_PADDING)
