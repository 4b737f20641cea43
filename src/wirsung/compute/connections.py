"""One connection to a cluster for all that a stage does, however many times it maps cases."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Scope:
    """The connections that were made within one stage."""

    stack: ExitStack
    clients: dict[str, Any] = field(default_factory=dict)


_SCOPE: ContextVar[_Scope | None] = ContextVar("scope of connections", default=None)


@contextmanager
def one_cluster() -> Iterator[None]:
    """Within it, or in a function that it decorates, a cluster is reached once, and let go at the end.

    Without it, each `map_cases` of a stage would reach for its own, and Slurm's jobs would wait in the queue
    anew. Nothing is connected before the first case needs it. Within another, it does nothing.

    Example:
        >>> with one_cluster():
        ...     "no cluster was asked for, so none was reached"
        'no cluster was asked for, so none was reached'
    """
    if _SCOPE.get() is not None:
        yield
        return
    with ExitStack() as stack:
        token = _SCOPE.set(_Scope(stack))
        try:
            yield
        finally:
            _SCOPE.reset(token)


@contextmanager
def held(address: str, connect: Callable[[str], AbstractContextManager[Any]]) -> Iterator[Any]:
    """The client at `address`, which outlives this block where `one_cluster` is around it.

    Args:
        address: Of the cluster.
        connect: Makes the client, and ends it.
    """
    scope = _SCOPE.get()
    if scope is None:
        with connect(address) as client:
            yield client
        return
    client = scope.clients.get(address)
    if client is None or client.status != "running":
        client = scope.clients[address] = scope.stack.enter_context(connect(address))
    yield client
