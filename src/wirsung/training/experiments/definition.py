"""What an experiment is: data, sets of cases, arms, questions, and what the paper found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Side = Literal["learn", "test", "all"]
Direction = Literal["higher", "lower", "same"]
Kind = Literal["training", "attention"]


@dataclass(frozen=True)
class DataSource:
    """One dataset of the experiment."""

    phantom: Mapping[str, Any] | None = None
    """Settings of `wirsung phantom`; None where --data names the folder."""
    source: str | None = None
    """The public source that a folder is imported as, unless it is a dataset already."""
    split: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `wirsung split`; without any, every case may be learnt from."""


@dataclass(frozen=True)
class CaseSet:
    """Some cases of one dataset."""

    data: str
    side: Side = "learn"
    """By the split: what may be learnt from, what tests, or both."""
    centres: tuple[str, ...] = ()
    """Only these centres; none: all."""
    without: tuple[str, ...] = ()
    """Not these centres."""
    subset: int | None = None
    """So many cases, drawn anew for each seed; a larger subset of the same seed holds the smaller."""


@dataclass(frozen=True)
class Arm:
    """One of the things compared."""

    title: str
    learn: tuple[str, ...]
    """Sets of cases that are learnt from together."""
    test: tuple[str, ...]
    """Sets of cases, each predicted and scored by itself."""
    train: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `wirsung train`, over those of the experiment."""


@dataclass(frozen=True)
class Measure:
    """One metric of one structure."""

    structure: str
    metric: str
    """As scores.parquet names it, or auc: of telling cases with the structure from those without."""

    @property
    def key(self) -> str:
        """As the file and results.json write it.

        Example:
            >>> Measure("pancreas", "dsc").key
            'pancreas dsc'
        """
        return f"{self.structure} {self.metric}"


@dataclass(frozen=True)
class Column:
    """What one side of a question is: an arm on one of its tests."""

    arm: str
    test: str

    @property
    def key(self) -> str:
        """As the file writes it."""
        return f"{self.arm}@{self.test}"


@dataclass(frozen=True)
class Question:
    """Is the second better than the first? The cases of several tests are pooled, pair by pair."""

    text: str
    first: tuple[Column, ...]
    second: tuple[Column, ...]
    measure: Measure
    expect: Direction
    """What the paper leads one to expect of the second."""
    margin: float = 0.0
    """Where the same is expected: the largest difference that does not matter."""
    paper: float | None = None
    """The paper's own difference, second minus first."""


@dataclass(frozen=True)
class PaperRow:
    """One number of a paper: a fact, with where it stands."""

    label: str
    measure: Measure
    value: float
    source: str
    spread: float | None = None
    """The paper's standard deviation over cases, where it tells one."""
    ours: Column | None = None
    """What of ours answers to it; None where nothing does."""


@dataclass(frozen=True)
class Experiment:
    """A whole experiment at one size."""

    name: str
    title: str
    about: str
    """One or two sentences for the page."""
    paper: str
    """Which paper, for people."""
    seeds: int
    measures: tuple[Measure, ...]
    data: Mapping[str, DataSource]
    sets: Mapping[str, CaseSet]
    arms: Mapping[str, Arm]
    questions: tuple[Question, ...]
    rows: tuple[PaperRow, ...]
    predict: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = "training"
    attention: Mapping[str, Any] = field(default_factory=dict)
    """Of the kind attention: what is measured."""
    axis: Literal["", "cases", "tumours"] = ""
    """What the arms are drawn over, where they differ in how much they learn from."""
