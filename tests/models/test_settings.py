import pytest

from wirsung.errors import ConfigError
from wirsung.models.settings import CostSettings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch": 0}, "batch is 0, but it must be at least 1"),
        ({"classes": -1}, "classes is -1"),
        ({"channels": 0}, "channels is 0"),
        ({"patch": (0, 8, 8)}, "must be at least 1 everywhere"),
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "a spacing is more than 0 mm"),
    ],
)
def test_a_size_that_can_not_be_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        CostSettings("nnunet", **wrong)
