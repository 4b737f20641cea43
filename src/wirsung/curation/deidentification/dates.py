"""Dates moved back by whole weeks, the same number for all of a patient, and ages of which none is rare.

Order, intervals and weekdays stay, so that two scans of a patient are as far apart as they were.
"""

import re
from datetime import date, timedelta
from math import ceil

from wirsung.curation.deidentification.identifiers import keyed_digest

LEAST_WEEKS = 53
MOST_WEEKS = 522
OLDEST_YEARS = 90
"""Ages from here on are told as this one."""

_LEAST_DAYS = 365
_RANGE_DAYS = 3285
_DATE = re.compile(r"(\d{4})(\.?)(\d{2})\2(\d{2})")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


def weeks_back(key: bytes, patient: str) -> int:
    """How far the patient's dates move back, 53 to 522 weeks.

    Example:
        >>> LEAST_WEEKS <= weeks_back(bytes(32), "4711") <= MOST_WEEKS
        True
    """
    drawn = int.from_bytes(keyed_digest(key, "dates", patient)[:4], "big")
    return ceil((_LEAST_DAYS + drawn % _RANGE_DAYS) / 7)


def moved_date(text: str, weeks: int) -> str | None:
    """A DICOM date so many weeks earlier; None where the text is no date from 1900 to 2199.

    Example:
        >>> moved_date("20240229", 53), moved_date("2024.02.29", 53), moved_date("20230229", 53)
        ('20230223', '20230223', None)
    """
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        original = date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None
    if not 1900 <= original.year < 2200:
        return None
    return (original - timedelta(weeks=weeks)).strftime("%Y%m%d").zfill(8)


def released_age(text: str) -> str | None:
    """A DICOM age in whole years, 090Y for 90 and more; None where the text is no age.

    Example:
        >>> released_age("061Y"), released_age("095Y"), released_age("018M"), released_age("old")
        ('061Y', '090Y', '001Y', None)
    """
    match = _AGE.fullmatch(text.strip().upper())
    if match is None:
        return None
    years = int(int(match[1]) / _PER_YEAR[match[2]])
    return f"{min(years, OLDEST_YEARS):03d}Y"
