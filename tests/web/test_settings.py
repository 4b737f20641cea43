"""The settings of the service."""

import pytest

from wirsung.errors import ConfigError
from wirsung.web.settings import ServeSettings


@pytest.mark.parametrize("bad", [{"port": 70000}, {"largest_mb": 0}, {"session_minutes": float("inf")}])
def test_settings_outside_their_range_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        ServeSettings(**bad)
