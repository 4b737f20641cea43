"""`wirsung compare`: methods scored on the same cases, every pair, on one page."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome
from wirsung.errors import ConfigError, near_names
from wirsung.evaluation.case import LESION
from wirsung.evaluation.case_table import patients_of, read_case_table
from wirsung.evaluation.compare_detection import compare_detection
from wirsung.evaluation.compare_inputs import ScoredMethod, read_methods
from wirsung.evaluation.compare_page import write_compare_page
from wirsung.evaluation.compare_pairs import Rules, compare_methods
from wirsung.evaluation.compare_settings import CompareSettings
from wirsung.evaluation.compared import Compared
from wirsung.evaluation.report_tables import digits_of
from wirsung.evaluation.statistics import Summary, summarise
from wirsung.evaluation.summary import as_json

COMPARISON_FILE = "comparison.json"
PAGE_FILE = "compare.html"

_SAME_VOLUME = 1e-6
"""Relative: two readings of one reference differ by no more."""


@dataclass(frozen=True)
class ComparisonDone:
    """What a comparison found, and where it wrote it."""

    outcomes: list[Outcome[Any]]
    """One a method; failed where it lacks cases that another has."""
    content: dict[str, Any]
    """As in comparison.json."""
    out: Path
    noun: str = "method"

    @property
    def page(self) -> Path:
        """The page."""
        return self.out / PAGE_FILE

    def lines(self) -> list[str]:
        """For the terminal: the pairs by the leading metric of the leading structure."""
        structure, metric = self.content["structures"][0], self.content["metrics"][0]
        rows = [f"{metric} of the {structure.replace('_', ' ')}, second minus first, 95 % interval, p (Holm)"]
        for pair in self.content["pairs"]:
            if (pair["structure"], pair["metric"]) == (structure, metric):
                rows.append(f"  {pair['first']} / {pair['second']}: {_said(pair, metric)}")
        return [*rows, "", f"Page: {self.page}"]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"out": str(self.out), "comparison": self.content}


def compare(settings: CompareSettings) -> ComparisonDone:
    """Compare every pair of methods; write comparison.json and compare.html.

    A case that only some methods were scored on is left out of the pairs that lack it, and counted. A run
    again on the same scores and settings does nothing.

    Raises:
        ConfigError: Fewer than two methods, no case or metric in common, another protocol or other
            references, an unknown name, or a margin that is no number above 0.
        ManifestError: Scores are missing or damaged.
    """
    methods = read_methods(settings.scores)
    if not settings.allow_different_protocols:
        _check_protocols(methods)
    _check_references(methods)
    cases = _shared_cases(methods)
    structures, metrics, rules = _chosen(settings, methods)
    outcomes = [_outcome(method, methods) for method in methods]
    state = _state(settings, methods, rules)
    earlier = _earlier(settings.out, state)
    if earlier is not None:
        return ComparisonDone(outcomes, earlier, settings.out)
    pairs = compare_methods(methods, structures, metrics, rules)
    summaries = {
        method.name: {
            structure: {metric: _summary(method, (structure, metric), rules) for metric in metrics}
            for structure in structures
        }
        for method in methods
    }
    aucs = compare_detection(methods) if LESION in structures else ()
    compared = Compared(methods, structures, metrics, summaries, pairs, rules, len(cases), aucs)
    content = _content(compared, outcomes, state)
    write_compare_page(settings.out / PAGE_FILE, compared, outcomes)
    # Last, since its state tells the next run that the page is there.
    write_json(settings.out / COMPARISON_FILE, content)
    return ComparisonDone(outcomes, content, settings.out)


def _check_protocols(methods: Sequence[ScoredMethod]) -> None:
    """Numbers by different rules can't be compared; a table that names no protocol is taken at its word."""
    for told in (_protocol_sha256, _protocol_name):
        known = [(method, said) for method in methods if (said := told(method)) is not None]
        for method, said in known[1:]:
            first, expected = known[0]
            if said != expected:
                one, other = _protocol_words(first), _protocol_words(method)
                msg = (
                    f"{first.name} was scored by {one}, but {method.name} by {other}. Evaluate one of them "
                    "again by the other's protocol, or compare anyway with --allow-different-protocols."
                )
                raise ConfigError(msg)


def _protocol_sha256(method: ScoredMethod) -> str | None:
    return method.stamp.sha256 if method.stamp else None


def _protocol_name(method: ScoredMethod) -> str | None:
    return method.protocol


def _protocol_words(method: ScoredMethod) -> str:
    if method.stamp is None:
        return f"protocol {method.protocol}"
    return f"protocol {method.stamp.name} version {method.stamp.version} ({method.stamp.sha256[:12]})"


def _check_references(methods: Sequence[ScoredMethod]) -> None:
    """The same case has the same reference volume, where both say it."""
    first = methods[0]
    for method in methods[1:]:
        for key, table in first.tables.items():
            other = method.tables.get(key, {}) if key[1] == "reference_volume_ml" else {}
            for case in sorted(table.keys() & other.keys()):
                one, two = table[case][0], other[case][0]
                if abs(one - two) > _SAME_VOLUME * max(abs(one), abs(two)):
                    msg = (
                        f"Case {case}: the {key[0]} of {first.name}'s reference has {one:.3f} ml, that of "
                        f"{method.name}'s {two:.3f} ml. Methods are compared against the same references; "
                        "evaluate both against one."
                    )
                    raise ConfigError(msg)


def _shared_cases(methods: Sequence[ScoredMethod]) -> frozenset[str]:
    shared = frozenset.intersection(*(method.cases for method in methods))
    if not shared:
        counts = ", ".join(f"{method.name} {len(method.cases)}" for method in methods)
        msg = f"No case was scored by every method ({counts} cases). Compare methods on the same cases."
        raise ConfigError(msg)
    return shared


def _chosen(
    settings: CompareSettings, methods: Sequence[ScoredMethod]
) -> tuple[tuple[str, ...], tuple[str, ...], Rules]:
    """Structures and metrics that every method was scored on, the leading ones first, and the rules."""
    keys = [key for key in methods[0].tables if all(key in method.tables for method in methods[1:])]
    structures = _wanted(settings.structures, dict.fromkeys(name for name, _ in keys), "structure")
    there = dict.fromkeys(name for _, name in keys)
    patients = patients_of(read_case_table(settings.metadata)) if settings.metadata else {}
    rules = Rules(
        patients,
        settings.seed,
        _margins(settings.equivalence_margin, there, "equivalence-margin"),
        _margins(settings.non_inferiority_margin, there, "non-inferiority-margin"),
        frozenset(settings.lower_is_better),
    )
    ranking = {name: None for name in there if rules.higher_is_better(name) is not None}
    metrics = _wanted(settings.metrics, there if settings.metrics else ranking, "metric")
    if "pancreas" in structures and not settings.structures:
        structures = ("pancreas", *(name for name in structures if name != "pancreas"))
    return structures, metrics, rules


def _wanted(names: Sequence[str], there: Mapping[str, None], what: str) -> tuple[str, ...]:
    if not there:
        msg = f"The methods have no {what} in common that could be compared. Evaluate them alike."
        raise ConfigError(msg)
    for name in names:
        if name not in there:
            msg = f"Not every method was scored on the {what} {name!r}. {near_names(name, there)}"
            raise ConfigError(msg)
    return tuple(names) or tuple(there)


def _margins(specs: Sequence[str], metrics: Mapping[str, None], option: str) -> dict[str, float]:
    """Metric to margin, from words such as `dsc=0.02`."""
    found: dict[str, float] = {}
    for spec in specs:
        metric, _, text = spec.partition("=")
        try:
            margin = float(text)
        except ValueError:
            margin = 0.0
        if not 0 < margin < float("inf"):
            msg = f"--{option} {spec} has no number above 0. Write metric=margin, such as dsc=0.02."
            raise ConfigError(msg)
        if metric not in metrics:
            msg = f"--{option} {spec}: no such metric was scored. {near_names(metric, metrics)}"
            raise ConfigError(msg)
        found[metric] = margin
    return found


def _outcome(method: ScoredMethod, methods: Sequence[ScoredMethod]) -> Outcome[Any]:
    everything = frozenset().union(*(item.cases for item in methods))
    missing = sorted(everything - method.cases)
    if not missing:
        return Outcome(method.name, "done")
    some = ", ".join(missing[:3]) + (" and so on" if len(missing) > 3 else "")
    message = f"lacks {len(missing)} of {len(everything)} cases ({some}): they are left out of its pairs."
    return Outcome(method.name, "failed", message)


def _summary(method: ScoredMethod, key: tuple[str, str], rules: Rules) -> Summary:
    table = method.tables.get(key, {})
    return summarise(
        [value for value, _ in table.values()],
        [reason for _, reason in table.values()],
        patients=[rules.patients.get(case, case) for case in table],
        seed=rules.seed,
    )


def _state(settings: CompareSettings, methods: Sequence[ScoredMethod], rules: Rules) -> str:
    """A hash of everything that the outputs come from."""
    plain = {
        key: value for key, value in asdict(settings).items() if key not in {"scores", "out", "metadata"}
    }
    content = [
        plain,
        sorted(rules.patients.items()),
        [(item.name, item.sha256) for item in methods],
        __version__,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _earlier(out: Path, state: str) -> dict[str, Any] | None:
    if not (out / PAGE_FILE).is_file():
        return None
    try:
        content: dict[str, Any] = json.loads((out / COMPARISON_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("state") == state else None


def _content(compared: Compared, outcomes: Sequence[Outcome[Any]], state: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "wirsung": __version__,
        "methods": [
            {
                "name": method.name,
                "protocol": as_json(method.stamp) if method.stamp else method.protocol,
                "cases": len(method.cases),
                "scores_sha256": method.sha256,
                "summaries": as_json(compared.summaries[method.name]),
                "message": outcome.message,
            }
            for method, outcome in zip(compared.methods, outcomes, strict=True)
        ],
        "structures": list(compared.structures),
        "metrics": list(compared.metrics),
        "shared_cases": compared.shared_cases,
        "seed": compared.rules.seed,
        "patients": len(set(compared.rules.patients.values())) or None,
        "equivalence_margins": dict(compared.rules.equivalence_margins),
        "non_inferiority_margins": dict(compared.rules.non_inferiority_margins),
        "adjusted": "Holm, over all pairs and structures of one metric",
        "pairs": as_json(compared.pairs),
        "aucs": as_json(compared.aucs),
        "state": state,
    }


def _said(pair: Mapping[str, Any], metric: str) -> str:
    found, digits = pair["comparison"], digits_of(metric) + 1
    if found["mean_difference"] is None:
        return "no case in common"
    mean, low, high = (
        "-" if found[name] is None else f"{found[name]:+.{digits}f}"
        for name in ("mean_difference", "low", "high")
    )
    p = "-" if pair["p_holm"] is None else f"{pair['p_holm']:.3g}"
    return f"{mean} ({low} to {high}), p = {p}, {found['n']} cases"
