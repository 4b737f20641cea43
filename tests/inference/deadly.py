"""Workers that really die; a module of its own, so that worker processes can import it."""

import os
import signal
from dataclasses import replace
from pathlib import Path

from wirsung.compute.outcome import is_second_try
from wirsung.inference.fleet import predict_case
from wirsung.inference.predictor import Predictor


def predict(settings, task):
    """Predict the case, unless its name says how to die; each beginning is noted beside OUT."""
    case = task.source.case
    with (settings.out.parent / "begun.txt").open("a", encoding="ascii") as file:
        file.write(f"{case} {os.getpid()}\n")
    if case.startswith("killer"):
        os.kill(os.getpid(), signal.SIGKILL)
    if case.startswith("unlucky"):
        if not is_second_try():
            os.kill(os.getpid(), signal.SIGSEGV)
        _note_whether_frugal(settings.out.parent / "frugal.txt")
    return predict_case(settings, task)


def predict_without_model(settings, task):
    """The model is there for the calling process, and not for this one."""
    return predict_case(replace(settings, model=settings.model / "elsewhere"), task)


def _note_whether_frugal(path: Path):
    plain = Predictor.frugal

    def noted(self):
        with path.open("a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        return plain(self)

    Predictor.frugal = noted
