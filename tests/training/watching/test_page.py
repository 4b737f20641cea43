"""The live page of a training that runs, stops, goes on and ends."""

import json
import os
import re
from dataclasses import replace

import pytest

from wirsung.training import learning
from wirsung.training.stopping import TrainingStopped
from wirsung.training.watching.events import Epoch, Step
from wirsung.training.watching.journal import JOURNAL_FILE, Journal, epochs_of, read_journal, steps_of
from wirsung.training.watching.page import PAGE_FILE, LivePage
from wirsung.training.watching.pictures import Pictures
from wirsung.training.workspace import Workspace

EPOCHS, ITERATIONS = 3, 2


class Clock:
    """Goes on by so much at every look."""

    def __init__(self, tick_s):
        self.s = 0.0
        self.tick_s = tick_s

    def __call__(self):
        self.s += self.tick_s
        return self.s


class Reader:
    """Reads the page whenever something is told, and stops the training at a step."""

    def __init__(self, folder, stop_at=None):
        self.path = folder / PAGE_FILE
        self.stop_at = stop_at
        self.pages = []
        self.trainer = None

    def started(self, trainer):
        self.trainer = trainer
        self.pages.append(self.path.read_text())

    def step(self, event):
        self.pages.append(self.path.read_text())
        if (event.epoch, event.iteration) == self.stop_at:
            self.trainer.signals.received = 2

    def epoch(self, trainer, event):
        self.pages.append(self.path.read_text())

    def ended(self, trainer, reason):
        self.pages.append(self.path.read_text())


def learn(job, folder, monkeypatch, stop_at=None):
    """Train with real watchers, whose clock makes every page old."""
    folder.mkdir(exist_ok=True)
    own = replace(job, folder=folder)
    pictures = Pictures(folder, 1, Clock(0.0))
    reader = Reader(folder, stop_at)
    watchers = (Journal(folder / JOURNAL_FILE), pictures, LivePage(folder, pictures, Clock(30.0)), reader)
    monkeypatch.setattr(learning, "watchers_of", lambda _: watchers)
    with Workspace(job.folder.parent).environment(0):
        learning.run(own)
    return reader.pages


@pytest.fixture(scope="module")
def finished(job):
    with pytest.MonkeyPatch.context() as patch:
        folder = job.folder.parent / "fold_1"
        return folder, learn(job, folder, patch)


def test_the_page_reads_itself_anew_until_the_training_is_finished(finished):
    _, pages = finished
    assert all('http-equiv="refresh"' in page for page in pages[:-1])
    assert 'http-equiv="refresh"' not in pages[-1]
    assert "running" in pages[0]
    assert "0 of 3 epochs" in pages[0]
    assert "batch 1 of 2" in pages[1]
    assert "Loss, batch by batch." in pages[2]
    assert "Loss, batch by batch." not in pages[-1]
    assert "3 of 3 epochs. The training is finished." in pages[-1]


def test_it_tells_what_the_training_was_given(finished):
    _, pages = finished
    for words in (
        "nnU-Net, fold 0",
        "16 x 16 x 16 voxels",
        "2 to learn from, 2 to validate on",
        "3 epochs of 2 batches",
        "2 patches. What nnU-Net&#39;s planner fits into its memory.",
        "The classes have no pancreatic lesion.",
        "3, scheme demo-7",
        "pseudo-Dice",
    ):
        assert words in pages[-1], words


def test_it_needs_nothing_from_elsewhere(finished):
    _, pages = finished
    assert not re.findall(r"""(?:src|href)=["'](?!data:)[^"']*""", pages[-1])
    assert "default-src &#39;none&#39;" in pages[-1]


def test_it_names_no_path_and_no_host(finished, job):
    folder, pages = finished
    host = re.compile(rf"\b{re.escape(os.uname().nodename)}\b")
    told = (*pages, (folder / JOURNAL_FILE).read_text(), (folder / "pictures/pictures.json").read_text())
    for text in told:
        words = re.sub(r"data:[^\"]+", "", text)
        assert str(job.folder.parent) not in words
        assert not host.search(words)


def test_it_shows_a_picture_of_every_epoch_in_their_order(finished):
    folder, pages = finished
    assert sorted(path.name for path in (folder / "pictures").glob("*.jpg")) == [
        f"epoch-000{number}.jpg" for number in (1, 2, 3)
    ]
    captions = re.findall(r"<figcaption>Epoch (\d)", pages[-1])
    assert captions == ["3", "1", "2"]  # the newest wide, then those before


def test_a_training_that_stopped_goes_on_with_one_journal_and_one_page(finished, job, monkeypatch):
    whole, whole_pages = finished
    folder = job.folder.parent / "fold_2"
    with pytest.raises(TrainingStopped):
        learn(job, folder, monkeypatch, stop_at=(1, 0))
    stopped = (folder / PAGE_FILE).read_text()
    assert "It was interrupted" in stopped
    assert 'http-equiv="refresh"' not in stopped
    # Killed after the checkpoint: a step more stands in the journal than the checkpoint knows.
    with (folder / JOURNAL_FILE).open("a") as file:
        file.write(
            (folder / JOURNAL_FILE).read_text().splitlines()[-1].replace('"iteration": 0', '"iteration": 1')
        )
        file.write("\n")
    pages = learn(job, folder, monkeypatch)
    assert "1 of 3 epochs" in pages[0]
    ours, unbroken = (read_journal(path / JOURNAL_FILE) for path in (folder, whole))
    expected = [(epoch, iteration) for epoch in range(EPOCHS) for iteration in range(ITERATIONS)]
    assert [(step.epoch, step.iteration) for step in steps_of(ours)] == expected
    assert [step.loss for step in steps_of(ours)] == [step.loss for step in steps_of(unbroken)]
    assert [step.cases for step in steps_of(ours)] == [step.cases for step in steps_of(unbroken)]
    for one, other in zip(epochs_of(ours), epochs_of(unbroken), strict=True):
        assert dict(one.pseudo_dice) == pytest.approx(dict(other.pseudo_dice), nan_ok=True)
    best = re.compile(r"Best epoch</span><strong>(\d)</strong><span class=\"note\">(.*?)</span>")
    assert best.search(pages[-1]).groups() == best.search(whole_pages[-1]).groups()
    kept = [json.loads((path / "history.json").read_text())["best"] for path in (folder, whole)]
    assert kept[0] == kept[1]
    assert kept[0]["of"] == "pancreas"


def test_within_twenty_seconds_it_is_not_written_again(job):
    folder = job.folder.parent / "fold_4"
    folder.mkdir()
    page = LivePage(folder, Pictures(folder, 1), Clock(1.0))
    page.step(Step(0, 0, 0.5, 0.01, 1.0, ()))
    page.epoch(None, Epoch(0, 0.5, 0.5, {}, 0.01, 1.0))
    page.ended(None, "failed")  # before it started
    assert not (folder / PAGE_FILE).exists()
