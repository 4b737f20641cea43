"""A case that takes its worker along; a module of its own, so that worker processes can import it."""

import os
import signal
from pathlib import Path

from wirsung.curation import case


def curate_case(task):
    """Curate it, unless it is the deadly one: then be killed, as the kernel does for want of memory."""
    if task.source.case == os.environ["DEADLY_CASE"]:
        with Path(os.environ["DEADLY_NOTE"]).open("a") as note:
            note.write(f"{task.source.case}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return case.curate_case(task)
