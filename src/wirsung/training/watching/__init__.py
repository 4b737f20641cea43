"""Looking on while a network learns: journal, live page, pictures, and which weights were the best."""

from typing import TYPE_CHECKING

from wirsung.training.watching.events import Watcher

if TYPE_CHECKING:
    from wirsung.training.job import Job


def watchers_of(job: "Job") -> tuple[Watcher, ...]:
    """Who looks on at a training: the journal, then the pictures, then the page that shows both."""
    # Here, for the package is imported for its events alone too.
    from wirsung.training.watching.journal import JOURNAL_FILE, Journal
    from wirsung.training.watching.page import LivePage
    from wirsung.training.watching.pictures import Pictures

    pictures = Pictures(job.folder, job.preset.picture_every)
    return Journal(job.folder / JOURNAL_FILE), pictures, LivePage(job.folder, pictures)
