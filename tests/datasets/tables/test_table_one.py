import numpy as np
import pytest

from wirsung.datasets.tables.cohort import Cohort
from wirsung.datasets.tables.rendering import cells
from wirsung.datasets.tables.table_one import Variable, side_by_side, table_one
from wirsung.errors import ConfigError


def test_two_cohorts_are_compared():
    first = Cohort("one", 60, {"x": np.arange(60.0)}, {"y": ["a"] * 20 + ["b"] * 40})
    second = Cohort("two", 40, {"x": np.arange(40.0) + 30}, {"y": ["a"] * 30 + ["c"] * 10})
    found = table_one([first, second], [Variable("x", "X", "mean", 1), Variable("y", "Y", "count")])
    number, count = found.rows
    assert number.difference.test == "Welch's t"
    assert [item.counts for item in count.summaries] == [
        (("b", 40), ("a", 20), ("c", 0)),
        (("b", 0), ("a", 30), ("c", 10)),
    ]
    assert count.difference.test == "chi-square"
    assert cells(found)[1][0] == "X, mean (SD)"


def test_a_variable_that_one_cohort_lacks_is_not_tested():
    first, second = Cohort("one", 3, {"x": np.arange(3.0)}, {}), Cohort("two", 2, {}, {})
    (found,) = table_one([first, second], [Variable("x", "X", "median")]).rows
    assert (found.summaries[1], found.difference) == (None, None)


@pytest.mark.parametrize("count", [0, 3])
def test_three_cohorts_are_no_comparison(count):
    with pytest.raises(ConfigError, match="one cohort or compares two"):
        table_one([Cohort("x", 0, {}, {})] * count)


def test_three_cohorts_stand_side_by_side_without_tests():
    cohorts = [Cohort(name, 4, {"x": np.arange(4.0)}, {"y": ["a", "b", name, None]}) for name in "cde"]
    found = side_by_side(cohorts, [Variable("x", "X", "mean", 1), Variable("y", "Y", "count")])
    assert all(row.difference is None for row in found.rows)
    told = cells(found)
    assert told[0] == ["Variable", "c (n = 4)", "d (n = 4)", "e (n = 4)"]
    assert told[1] == ["X, mean (SD)", *["1.5 (1.3)"] * 3]
    assert ["    d, n (%)", "0 (0.0)", "1 (25.0)", "0 (0.0)"] in told
    assert table_one(cohorts[:2], []) == side_by_side(cohorts[:2], [])
