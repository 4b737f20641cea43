from types import SimpleNamespace

import pytest

from wirsung.compute.one_try import KEY_PREFIX, OneTry

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


def plugin_over(keys):
    scheduler = SimpleNamespace(
        allowed_failures=3, tasks={key: SimpleNamespace(suspicious=0) for key in keys}
    )
    plugin = OneTry()
    for step in plugin.start(scheduler).__await__():
        pytest.fail(f"the plugin waits for {step}")
    return plugin, scheduler.tasks


def test_only_our_cases_lose_the_tries_of_the_scheduler():
    ours, theirs = f"{KEY_PREFIX}1", ("sum", 0)
    plugin, tasks = plugin_over([ours, theirs])
    for key in (ours, theirs):
        plugin.transition(key, "waiting", "processing", stimulus_id="s")
    assert (tasks[ours].suspicious, tasks[theirs].suspicious) == (3, 0)


def test_a_case_that_is_over_is_left_as_it_is():
    key = f"{KEY_PREFIX}1"
    plugin, tasks = plugin_over([key])
    plugin.transition(key, "processing", "memory")
    assert tasks[key].suspicious == 0
    del tasks[key]
    plugin.transition(key, "memory", "forgotten")
