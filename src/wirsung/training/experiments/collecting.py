"""What the runs scored, by arm, test and measure: one value a seed and case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wirsung.evaluation.detection_findings import rank
from wirsung.evaluation.protocol import Protocol, protocol
from wirsung.evaluation.scores import read_scores
from wirsung.training.experiments.checking import AUC
from wirsung.training.experiments.definition import Column, Experiment, Measure
from wirsung.training.experiments.noise import Values, stacked


@dataclass(frozen=True)
class Scored:
    """One arm's values of one measure on one test."""

    by_seed: Mapping[int, Mapping[str, float]]
    """Seed to case to value: a score, or what ranks the case; NaN where undefined."""
    positive: Mapping[str, bool] = field(default_factory=dict)
    """For the AUC, whether the case has the lesion."""


Collected = Mapping[tuple[Column, Measure], Scored]


@dataclass(frozen=True)
class Aligned:
    """Several columns as arrays over the cases that all seeds of all have a value for."""

    sides: tuple[Values, ...]
    positive: NDArray[np.bool_] | None
    cases: tuple[str, ...]
    left_out: int


def collect(
    experiment: Experiment, folders: Mapping[tuple[str, int], Path]
) -> dict[tuple[Column, Measure], Scored]:
    """The values of all runs.

    Args:
        experiment: Says the measures.
        folders: Arm and seed to the run's folder, of finished runs.

    Raises:
        ManifestError: Scores are damaged.
    """
    chosen = _protocol(experiment)
    found: dict[tuple[Column, Measure], dict[int, dict[str, float]]] = {}
    positive: dict[tuple[Column, Measure], dict[str, bool]] = {}
    for (arm, seed), folder in folders.items():
        for test in experiment.arms[arm].test:
            scores = read_scores(folder / "scores" / test)
            for measure in experiment.measures:
                key = Column(arm, test), measure
                if measure.metric != AUC:
                    rows = scores.by_case(test, measure.structure, measure.metric)
                    found.setdefault(key, {})[seed] = {case: row.value for case, row in rows.items()}
                    continue
                ranking = rank(scores, test, chosen)
                cases = ranking.cases if ranking else ()
                found.setdefault(key, {})[seed] = {item.case: item.score for item in cases}
                positive.setdefault(key, {}).update({item.case: item.positive for item in cases})
    return {key: Scored(values, positive.get(key, {})) for key, values in found.items()}


def aligned(collected: Collected, sides: Sequence[Sequence[Column]], measure: Measure) -> Aligned | None:
    """The sides as arrays; each side's columns stand one after the other, test by test.

    Seeds that not all columns of a side have are left out of it, and cases without a value anywhere.

    Returns:
        None where a side has no seed that all its columns have.
    """
    seeds = [_shared_seeds(collected, side, measure) for side in sides]
    if not all(seeds):
        return None
    cases: list[str] = []
    positive: list[bool] = []
    parts: list[list[Values]] = [[] for _ in sides]
    left_out = 0
    for place, column in enumerate(sides[0]):
        scored = [collected[side[place], measure] for side in sides]
        names = sorted({case for item in scored for values in item.by_seed.values() for case in values})
        kept = [case for case in names if _is_complete(case, scored, seeds)]
        left_out += len(names) - len(kept)
        cases += [f"{column.test}/{case}" for case in kept]
        positive += [scored[0].positive.get(case, False) for case in kept]
        for part, item, chosen in zip(parts, scored, seeds, strict=True):
            part.append(stacked([[item.by_seed[seed][case] for case in kept] for seed in chosen]))
    arrays = tuple(np.concatenate(part, axis=1) for part in parts)
    is_auc = measure.metric == AUC
    return Aligned(arrays, np.asarray(positive, dtype=bool) if is_auc else None, tuple(cases), left_out)


def _shared_seeds(collected: Collected, side: Sequence[Column], measure: Measure) -> tuple[int, ...]:
    found = [set(collected[column, measure].by_seed) for column in side if (column, measure) in collected]
    return tuple(sorted(set.intersection(*found))) if len(found) == len(side) and found else ()


def _is_complete(case: str, scored: Sequence[Scored], seeds: Sequence[Sequence[int]]) -> bool:
    return all(
        np.isfinite(item.by_seed[seed].get(case, np.nan))
        for item, chosen in zip(scored, seeds, strict=True)
        for seed in chosen
    )


def _protocol(experiment: Experiment) -> Protocol:
    chosen = protocol(experiment.evaluate.get("protocol", "pants"))
    score = experiment.evaluate.get("lesion_score")
    return chosen if score is None else replace(chosen, case_score=score)
