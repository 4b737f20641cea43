"""`wirsung evaluate`: score every case, keep each case's rows as they come, then summarise and report."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome, map_cases
from wirsung.errors import ConfigError, counted
from wirsung.evaluation.case import CaseName, unscored
from wirsung.evaluation.case_score import VOLUME, voxels_of
from wirsung.evaluation.cohort import Cohort, open_cohort
from wirsung.evaluation.evaluated import Evaluated, command_of
from wirsung.evaluation.inputs import PROBABILITY, Method, Reference, open_methods, open_reference
from wirsung.evaluation.lesion_table import LESIONS_FILE, write_lesions
from wirsung.evaluation.lesions import CaseLesions
from wirsung.evaluation.protocol import Protocol, protocol
from wirsung.evaluation.report import write_report
from wirsung.evaluation.report_tables import digits_of
from wirsung.evaluation.scores import SCORES_FILE, TABLE_FILE, Score, Scores, write_scores
from wirsung.evaluation.scoring import CaseScores, Task, fingerprint, score_task
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.summary import as_json, find
from wirsung.evaluation.undefined import Reason

SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"
_RECORDS = "cases"


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found, and where it wrote it."""

    outcomes: list[Outcome[Any]]
    summary: dict[str, Any]
    """As in summary.json."""
    out: Path

    @property
    def report(self) -> Path:
        """The page."""
        return self.out / REPORT_FILE

    def lines(self) -> list[str]:
        """For the terminal."""
        metrics = self.summary["headline"]
        rows: list[str] = []
        for method in self.summary["methods"]:
            rows += ["", method["name"], _row("", metrics, "n")]
            for structure, summaries in method["structures"].items():
                means = [_brief(metric, summaries[metric]["mean"]) for metric in metrics]
                rows.append(_row(structure, means, str(summaries[metrics[0]]["n"])))
            if method["notes"]:
                noted = counted(len(method["notes"]), "case", "cases")
                rows.append(f"  resampled onto the reference's grid: {noted}")
            if method["detection"]:
                rows.append(f"  lesion by case: AUC {_brief('auc', method['detection']['auc']['value'])}")
        convention = self.summary.get("convention")
        page = f"Report: {self.report}" if self.report.is_file() else f"Scores: {self.out}"
        return [*rows, "", *([convention] if convention else []), page]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"out": str(self.out), "summary": self.summary}


def evaluate(settings: EvaluateSettings) -> Evaluation:
    """Score predictions against references; write scores, lesions.csv, summary.json and report.html.

    A case that can't be scored fails alone and is counted in every mean's undefined cases. A run again scores
    only what changed.

    Raises:
        ConfigError: A folder, scheme or protocol is not what it should be, or no case is in both folders.
        ManifestError: A dataset or predictions.json is damaged.
    """
    chosen = _protocol(settings)
    methods = open_methods(settings)
    reference = open_reference(settings, methods[0], by_class=chosen.by_class)
    cases = _cases(reference, methods[0], all_cases=settings.all_cases)
    cohort = open_cohort(settings, reference.patients, cases)
    reference = replace(reference, patients=cohort.patients)
    tasks = {
        _key(case, methods, name=task.name.method): task
        for method in methods
        for case, task in _tasks(settings, chosen, reference, method, cases)
    }
    outcomes = map_cases(
        score_task, tasks, workers=settings.workers, description="Scoring", cluster=settings.cluster
    )
    state = _state(settings, cohort, tasks, outcomes)
    earlier = _earlier(settings, state)
    if earlier is not None:
        return Evaluation(list(outcomes), earlier, settings.out)
    scores = _scores(chosen, outcomes, tasks)
    findings = find(
        scores,
        [method.name for method in methods],
        chosen,
        cohort=cohort,
        seed=settings.seed,
        by_probability=chosen.case_score != VOLUME,
    )
    evaluated = Evaluated(
        reference,
        methods,
        chosen,
        cases,
        scores,
        findings,
        tuple(outcomes),
        _strays(reference, methods),
        settings.seed,
        command_of(settings),
        _notes(outcomes, tasks),
        cohort,
    )
    write_scores(settings.out, scores, chosen.stamp)
    write_lesions(settings.out, scores)
    if settings.page:
        write_report(settings.out / REPORT_FILE, evaluated)
    summary = _summary(evaluated, state)
    # Last, since its state tells the next run that all the others are there.
    write_json(settings.out / SUMMARY_FILE, summary)
    return Evaluation(list(outcomes), summary, settings.out)


def _cases(reference: Reference, first: Method, *, all_cases: bool) -> tuple[str, ...]:
    """The cases to score: those that predictions.json lists, else every reference case."""
    wanted = set(reference.cases)
    if first.listed is not None and not all_cases:
        wanted &= set(first.listed)
    found = tuple(sorted(wanted))
    if not any(first.source(case).is_there for case in found):
        some = ", ".join(first.cases()[:3])
        msg = (
            f"No case of {reference.name} has a prediction in {first.folder}, which holds {some} and so on. "
            "A prediction is named <case>.nii.gz, or its folder of masks <case>/, as its reference is."
        )
        raise ConfigError(msg)
    return found


def _key(case: str, methods: Sequence[Method], *, name: str) -> str:
    return case if len(methods) == 1 else f"{name}/{case}"


def _tasks(
    settings: EvaluateSettings,
    chosen: Protocol,
    reference: Reference,
    method: Method,
    cases: Sequence[str],
) -> Iterator[tuple[str, Task]]:
    views, _ = reference.views_for(method)
    folder = settings.out / _RECORDS / method.name.replace("/", "-")
    for case in cases:
        yield (
            case,
            Task(
                CaseName(case, method.name, chosen),
                reference.source(case, method),
                method.source(case),
                method.probability(case),
                views,
                folder / f"{case}.json",
                settings.resample,
            ),
        )


def _rows(outcome: Outcome[CaseScores], task: Task) -> Sequence[Score]:
    """The rows of one case; for one that failed every structure is undefined, with the reason."""
    if outcome.value is not None:
        return outcome.value.rows
    reason = Reason.CASE_FAILED if task.prediction.is_there else Reason.PREDICTION_MISSING
    return [row for view in task.views for row in unscored(task.name, view.structure, reason)]


def _protocol(settings: EvaluateSettings) -> Protocol:
    """The protocol, with the case score that was asked for."""
    chosen = protocol(settings.protocol)
    if settings.lesion_score is None:
        return chosen
    voxels_of(settings.lesion_score)
    return replace(chosen, case_score=settings.lesion_score)


def _scores(chosen: Protocol, outcomes: Sequence[Outcome[CaseScores]], tasks: Mapping[str, Task]) -> Scores:
    rows = (row for outcome in outcomes for row in _rows(outcome, tasks[outcome.case]))
    return Scores(rows, chosen.stamp, _lesions(outcomes, tasks))


def _lesions(
    outcomes: Sequence[Outcome[CaseScores]], tasks: Mapping[str, Task]
) -> dict[str, dict[str, CaseLesions]]:
    """Method to case to lesions, where they were scored."""
    found: dict[str, dict[str, CaseLesions]] = {}
    for outcome in outcomes:
        if outcome.value is not None and outcome.value.lesions is not None:
            name = tasks[outcome.case].name
            found.setdefault(name.method, {})[name.case] = outcome.value.lesions
    return found


def _strays(reference: Reference, methods: Sequence[Method]) -> dict[str, tuple[str, ...]]:
    """Predictions without a reference, by method."""
    found = {
        method.name: tuple(
            case
            for case in method.cases()
            # A probability whose label map is missing belongs to its case.
            if case not in reference.cases and case.removesuffix(PROBABILITY) not in reference.cases
        )
        for method in methods
    }
    return {name: cases for name, cases in found.items() if cases}


def _state(
    settings: EvaluateSettings,
    cohort: Cohort,
    tasks: Mapping[str, Task],
    outcomes: Sequence[Outcome[Any]],
) -> str:
    """A hash of everything that the outputs come from."""
    cases = {key: [fingerprint(task), str(task.name.case)] for key, task in tasks.items()}
    failed = {outcome.case: outcome.message for outcome in outcomes if outcome.status == "failed"}
    known = [sorted(cohort.patients.items()), [asdict(item) for item in cohort.groupings]]
    content = [cases, failed, known, settings.seed, settings.lesion_score, __version__]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _earlier(settings: EvaluateSettings, state: str) -> dict[str, Any] | None:
    """The summary of an earlier run from the same inputs, if all that it wrote is still there."""
    out, page = settings.out, [REPORT_FILE] if settings.page else []
    files = (SUMMARY_FILE, SCORES_FILE, TABLE_FILE, LESIONS_FILE, *page)
    if not all((out / name).is_file() for name in files):
        return None
    try:
        content: dict[str, Any] = json.loads((out / SUMMARY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("state") == state else None


def _summary(evaluated: Evaluated, state: str) -> dict[str, Any]:
    failed = {item.case: item.message for item in evaluated.outcomes if item.status == "failed"}
    methods = [
        {
            "name": method.name,
            "scheme": method.scheme.name,
            **method.about,
            "notes": evaluated.notes.get(method.name, {}),
            "left_out": list(evaluated.reference.views_for(method)[1]),
            **as_json(found),
        }
        for method, found in zip(evaluated.methods, evaluated.findings.methods, strict=True)
    ]
    return {
        "schema": 1,
        "wirsung": __version__,
        "reference": evaluated.reference.name,
        "protocol": {**as_json(evaluated.protocol), "sha256": evaluated.protocol.sha256},
        "convention": evaluated.protocol.convention,
        "headline": list(evaluated.protocol.headline_names),
        "seed": evaluated.seed,
        "cases": len(evaluated.cases),
        "failed": failed,
        "without_reference": as_json(evaluated.strays),
        "methods": methods,
        "comparisons": as_json(evaluated.findings.comparisons),
        "volumes": as_json(evaluated.findings.volumes),
        "subgroups": as_json(evaluated.findings.subgroups),
        "state": state,
    }


def _notes(outcomes: Sequence[Outcome[CaseScores]], tasks: Mapping[str, Task]) -> dict[str, dict[str, str]]:
    """By method and case, what was done to the prediction before it was scored."""
    found: dict[str, dict[str, str]] = {}
    for item in outcomes:
        if item.value is not None and item.value.note:
            name = tasks[item.case].name
            found.setdefault(name.method, {})[name.case] = item.value.note
    return found


def _row(name: str, cells: Sequence[str], last: str) -> str:
    return f"  {name:<28}" + "".join(f"{cell:>10}" for cell in cells) + f"{last:>6}"


def _brief(metric: str, mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.{digits_of(metric)}f}"
