"""A plugin for Dask's scheduler that leaves it to us which case is tried again."""

from typing import Any

try:
    from distributed.diagnostics.plugin import SchedulerPlugin  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # the extra `cluster` is not installed, and `compute.cluster` says so when it is needed
    SchedulerPlugin = object  # type: ignore[misc,assignment,unused-ignore]

KEY_PREFIX = "wirsung-case-"


class OneTry(SchedulerPlugin):  # type: ignore[misc,unused-ignore]
    """Our cases are reported as soon as their worker is lost, and not tried again by the scheduler.

    By default a scheduler gives a task to three more workers, and a case that kills its worker would take
    all four with it, together with what else ran there. Who is tried again, and how, is decided by
    `compute.cluster`. Other people's tasks on the same scheduler are left alone.
    """

    name = "wirsung-one-try"
    idempotent = True

    def __init__(self) -> None:
        self._scheduler: Any = None

    async def start(self, scheduler: Any) -> None:  # noqa: ANN401 - a Scheduler
        """Keep the scheduler."""
        self._scheduler = scheduler

    def transition(self, key: Any, start: str, finish: str, *_: object, **__: object) -> None:  # noqa: ANN401
        """Use up the tries that the scheduler would allow, when a task of ours is given to a worker."""
        if finish == "processing" and str(key).startswith(KEY_PREFIX):
            task = self._scheduler.tasks[key]
            task.suspicious = max(task.suspicious, self._scheduler.allowed_failures)
