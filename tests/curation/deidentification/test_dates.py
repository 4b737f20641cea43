from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.curation.deidentification.dates import (
    LEAST_WEEKS,
    MOST_WEEKS,
    moved_date,
    released_age,
    weeks_back,
)

KEY = bytes(range(32))
DAYS = st.dates(date(1911, 1, 1), date(2099, 12, 31))
WEEKS = st.integers(LEAST_WEEKS, MOST_WEEKS)


def day(text):
    return datetime.strptime(text, "%Y%m%d").date()


def test_the_weeks_fill_their_range_evenly():
    drawn = [weeks_back(KEY, str(patient)) for patient in range(20_000)]
    assert (min(drawn), max(drawn)) == (53, 522)
    assert abs(sum(drawn) / len(drawn) - (53 + 522) / 2) < 4  # four standard errors of a uniform mean
    assert weeks_back(KEY, " 7 ") == weeks_back(KEY, "7")
    assert [weeks_back(bytes(32), str(patient)) for patient in range(9)] != drawn[:9]


@given(first=DAYS, second=DAYS, weeks=WEEKS)
def test_intervals_and_weekdays_stay(first, second, weeks):
    moved = [day(moved_date(original.strftime("%Y%m%d"), weeks)) for original in (first, second)]
    assert moved[1] - moved[0] == second - first
    assert moved[0].weekday() == first.weekday()
    assert 53 * 7 <= (first - moved[0]).days == weeks * 7


@pytest.mark.parametrize(
    "text", ["", "2024", "20241301", "20230229", "18991231", "ERIKA", "20240101-20240201"]
)
def test_what_is_no_date_is_not_released(text):
    assert moved_date(text, 53) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("091Y", "090Y"),
        ("119Y", "090Y"),
        ("011M", "000Y"),
        ("104W", "001Y"),
        ("105W", "002Y"),
        ("365D", "000Y"),
        ("", None),
        ("61", None),
        ("61 years", None),
        ("ERIKA", None),
    ],
)
def test_ages_are_whole_years_and_none_is_over_ninety(text, expected):
    assert released_age(text) == expected
