import inspect

import pytest

from wirsung import errors
from wirsung.errors import WirsungError, near_names

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, WirsungError) and kind is not WirsungError
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_one_of_ours_and_drawn_in_the_tree(kind):
    assert issubclass(kind, WirsungError)
    assert f"── {kind.__name__} " in errors.__doc__


def test_near_names_come_first_and_all_names_otherwise():
    assert near_names("pancreas_haed", ["pancreas_head", "liver"]) == "Did you mean pancreas_head?"
    assert near_names("q", ["pancreas_head", "liver"]) == "Known are pancreas_head, liver."
