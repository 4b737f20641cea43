"""What runs inside a worker process: one case after the other, until its supervisor hangs up.

The supervisor sends case, task and whether it is the second try, pickled; the worker answers with a pickled
Outcome. An empty message means "ready" from the worker and "go home" from the supervisor.
"""

import os
import pickle
import signal
import threading
from collections.abc import Mapping
from multiprocessing import connection, parent_process
from types import MappingProxyType
from typing import Any, Never

from wirsung.compute.outcome import Outcome, attempt, unforeseen

ANYWHERE: Mapping[str, str] = MappingProxyType({})
"""Of a worker whose environment is that of all."""
FAREWELL = b""
READY = b""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class _Dismissed(BaseException):
    """The supervisor ended us by SIGTERM; not an Exception, so that no case catches it."""


def serve(
    pipe: Any,  # noqa: ANN401 - a Connection
    packed_function: bytes,
    threads: int,
    place: Mapping[str, str] = ANYWHERE,
) -> None:
    """Run cases from the pipe until it closes; `place` is what the environment says of this worker alone."""
    try:
        _heed_the_supervisor()
        os.environ.update(place)
        for variable in _THREAD_VARIABLES:  # before the stage imports NumPy, which reads them once
            os.environ.setdefault(variable, str(threads))
        function = pickle.loads(packed_function)
        pipe.send_bytes(READY)
        while message := pipe.recv_bytes():
            pipe.send_bytes(_answer(function, message))
    except (EOFError, BrokenPipeError, ConnectionResetError, _Dismissed):
        pass


def _answer(function: Any, message: bytes) -> bytes:  # noqa: ANN401 - any callable
    case, packed_task, is_again = pickle.loads(message)
    outcome: Outcome[Any] = attempt(
        lambda packed: function(pickle.loads(packed)), case, packed_task, is_again=is_again
    )
    try:
        return pickle.dumps(outcome)
    except Exception as error:  # pickling runs foreign code
        return pickle.dumps(Outcome(case, "failed", unforeseen(error)))


def _heed_the_supervisor() -> None:
    """Leave Ctrl-C to the supervisor, clean up at SIGTERM, and never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # it was blocked while this process started
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _dismiss)
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()


def _dismiss(*_: object) -> Never:
    raise _Dismissed


def _end_with_the_supervisor() -> None:
    supervisor = parent_process()
    if supervisor is not None:
        connection.wait([supervisor.sentinel])
        os._exit(1)
