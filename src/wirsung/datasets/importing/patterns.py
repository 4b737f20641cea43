"""The patterns of a source's layout: paths with `{case}`, `{mask}` and stars, as regular expressions."""

import re
from functools import lru_cache

_ROOT = r"(?P<root>(?:[^/]+/){0,5}?)"
"""The folders above the layout: somebody names the folder itself, or one that holds it."""
_MASK = r"(?P<mask>[A-Za-z0-9][A-Za-z0-9_-]*)"
_TOKEN = re.compile(r"\*\*/|\*|\{case\}|\{mask\}|\{patient\}")


@lru_cache(maxsize=256)
def compiled(pattern: str, case: str) -> re.Pattern[str]:
    """What matches a path with slashes from the folder that the user named; groups root, case, mask, patient.

    Args:
        pattern: `**/` stands for any folders or none, `*` for anything within a name.
        case: What `{case}` looks like; where it comes again it must be the same text.

    Example:
        >>> found = compiled("imagesTr/{case}_0.nii.gz", "p[0-9]+").fullmatch("T7/imagesTr/p12_0.nii.gz")
        >>> found["root"], found["case"]
        ('T7/', 'p12')
    """
    parts, end, is_named = [_ROOT], 0, False
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[end : token.start()]))
        end = token.end()
        parts.append(_group(token.group(), case, is_named=is_named))
        is_named = is_named or token.group() == "{case}"
    parts.append(re.escape(pattern[end:]))
    return re.compile("".join(parts))


def _group(token: str, case: str, *, is_named: bool) -> str:
    if token == "{case}":
        return "(?P=case)" if is_named else f"(?P<case>{case})"
    return {"**/": "(?:.*/)?", "*": "[^/]*", "{mask}": _MASK, "{patient}": "(?P<patient>[^/]+)"}[token]
