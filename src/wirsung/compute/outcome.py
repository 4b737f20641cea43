"""What became of one case, and the one place where a stage's function is called and its errors are caught."""

import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from wirsung.errors import WirsungError

T = TypeVar("T")
R = TypeVar("R")

ADVICE = "Try it alone with --workers 1."
"""How the message of a quarantined case ends."""
_QUARANTINED = "quarantined: "
_IS_AGAIN: ContextVar[bool] = ContextVar("whether this is the second try of a case", default=False)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one case."""

    case: str
    status: Literal["done", "skipped", "failed"]
    message: str = ""
    """Why it failed, fit for the user's eyes."""
    value: R | None = None
    duration_s: float = 0.0

    @property
    def is_quarantined(self) -> bool:
        """Whether it was tried twice and lost its worker, or ran out of memory, either time."""
        return self.status == "failed" and self.message.startswith(_QUARANTINED)


class Skip(Exception):  # noqa: N818 - not an error
    """Raised by a stage's function where the case is done already; may carry the value."""

    def __init__(self, value: object = None) -> None:
        super().__init__()
        self.value = value


def is_second_try() -> bool:
    """Whether the case at hand lost its worker before; a stage may go about it with less memory then."""
    return _IS_AGAIN.get()


def attempt(function: Callable[[T], R], case: str, task: T, *, is_again: bool = False) -> Outcome[R]:
    """Call `function` on the task, whatever comes of it.

    Args:
        function: May ask `is_second_try`.
        case: Its name.
        task: The argument.
        is_again: Whether the case lost its worker before.

    Example:
        >>> attempt(len, "a", 7).message.split(" at ")[0]
        'unforeseen TypeError'
    """
    started = time.perf_counter()
    _IS_AGAIN.set(is_again)
    try:
        value = function(task)
    except Skip as skip:
        return Outcome(case, "skipped", value=skip.value)  # type: ignore[arg-type]
    except WirsungError as error:
        message = str(error)
    except MemoryError:
        message = "not enough memory. Try fewer workers."
    except (Exception, SystemExit) as error:  # one bad case never ends the others
        message = unforeseen(error)
    else:
        return Outcome(case, "done", value=value, duration_s=time.perf_counter() - started)
    return Outcome(case, "failed", message, duration_s=time.perf_counter() - started)


def unforeseen(error: BaseException) -> str:
    """Type and place of an error; never its text, which may quote a patient's header."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unforeseen {type(error).__name__}{place}. Please report it with the command that you ran."


def quarantined(first: str, second: str, advice: str = ADVICE) -> str:
    """The message of a case that lost its worker twice, from what happened either time.

    Example:
        >>> quarantined("its worker ended with exit code 3", "its worker ended with exit code 3")
        'quarantined: twice its worker ended with exit code 3. Try it alone with --workers 1.'
    """
    story = f"twice {first}" if first == second else f"first {first}, then {second}"
    return f"{_QUARANTINED}{story}. {advice}"
