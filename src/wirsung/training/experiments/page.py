"""experiment.html: the answers, the paper's table beside ours, every measure, and what the runs took."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from wirsung.evaluation.compare_pictures import p_cell
from wirsung.evaluation.report_tables import digits_of, metric_title, signed, words_of
from wirsung.pages.template import (
    Block,
    Cell,
    Code,
    Facts,
    Gallery,
    Notice,
    Page,
    Paragraph,
    Section,
    Table,
    Tile,
    Tiles,
    write_page,
)
from wirsung.training.experiments.answers import Answer
from wirsung.training.experiments.checking import AUC
from wirsung.training.experiments.definition import Measure
from wirsung.training.experiments.noise import RESAMPLES
from wirsung.training.experiments.pictures import measure_pictures
from wirsung.training.experiments.results import ArmResult, Measured, PaperLine, Results
from wirsung.training.experiments.token_page import token_page
from wirsung.training.experiments.tokens import TokenResults

_DIGITS = 3


def write_experiment_page(path: Path, results: Results | TokenResults) -> None:
    """Write the page."""
    write_page(path, token_page(results) if isinstance(results, TokenResults) else experiment_page(results))


def experiment_page(results: Results) -> Page:
    """The page as data."""
    made = results.experiment
    return Page(
        title=made.title,
        lead=made.about,
        sections=(
            _overview(results),
            *_answers(results),
            *_paper(results),
            *(_measure(results, measure) for measure in made.measures),
            _runs(results),
        ),
        overline="Experiment",
        definitions=tuple(_definitions(results)),
    )


def measure_title(measure: Measure) -> str:
    """A measure for people.

    Example:
        >>> measure_title(Measure("pancreatic_lesion", "auc")), measure_title(Measure("pancreas", "nsd_2mm"))
        ('AUC of the pancreatic lesion', 'NSD 2 mm of the pancreas')
    """
    name = "AUC" if measure.metric == AUC else metric_title(measure.metric)
    return f"{name} of the {words_of(measure.structure)}"


def _overview(results: Results) -> Section:
    blocks: list[Block] = [Notice(f"{run}: {why}", "warning") for run, why in results.failed.items()]
    missing = [arm.title for arm in results.arms if len(arm.seeds) < results.experiment.seeds]
    if missing:
        blocks.append(Notice(f"Not all seeds have run: {', '.join(missing)}.", "warning"))
    if results.size == "cpu":
        said = "Phantoms, small networks and few steps: this shows whether a difference shows there, no more."
        blocks.append(Notice(said))
    verdicts = [item.verdict for item in results.answers]
    tiles = [
        Tile(verdict, str(verdicts.count(verdict)), "of the questions")
        for verdict in ("agrees", "within the noise", "does not agree")
    ]
    if verdicts:
        blocks.append(Tiles(tuple(tiles)))
    machine = results.made_by["machine"]
    facts = [
        ("Paper", results.experiment.paper or "none"),
        ("Size", f"{results.size}, {results.experiment.seeds} seeds"),
        ("Date", str(results.made_by["date"])),
        ("Machine", _machine_words(machine)),
        (
            "Software",
            f"Wirsung {results.made_by['wirsung']}, runs by commit {', '.join(results.run_commits)}",
        ),
    ]
    return Section("", (*blocks, Facts(tuple(facts)), Code(results.command)))


def _machine_words(machine: dict[str, object]) -> str:
    threads = f", {machine['threads']} thread a run" if machine["threads"] else ""
    return f"{machine['processor']}, {machine['cores']} cores{threads}, {machine['device']}"


def _answers(results: Results) -> Iterator[Section]:
    if results.answers:
        blocks: list[Block] = []
        for item in results.answers:
            level = "warning" if item.verdict in ("does not agree", "not run") else "note"
            blocks += [Paragraph(item.question), Notice(item.sentence, level)]  # type: ignore[arg-type]
        yield Section("What came out", (*blocks, _answer_table(results.answers)))


def _answer_table(answers: Sequence[Answer]) -> Table:
    rows = []
    for item in answers:
        found = item.difference
        interval = f"{signed(found.low, _DIGITS)} to {signed(found.high, _DIGITS)}" if found else ""
        rows.append(
            (
                item.question,
                item.verdict,
                Cell(item.expect, note=measure_title(item.measure)),
                Cell(signed(found.difference, _DIGITS), _order(found.difference), interval) if found else "–",
                Cell.number(math.nan if item.paper is None else item.paper, _DIGITS),
                replace(p_cell(item.p), note=item.test),
                Cell(str(found.cases), float(found.cases)) if found else "–",
                Cell(str(item.left_out), float(item.left_out)),
            )
        )
    columns = ("question", "verdict", "expected", "difference", "paper's", "p", "cases", "left out")
    caption = "Second arm minus first on the same cases; the interval gives the verdict."
    return Table(columns, tuple(rows), caption)


def _paper(results: Results) -> Iterator[Section]:
    if not results.paper:
        return
    sources = list(dict.fromkeys(line.row.source for line in results.paper))
    rows = tuple(_paper_row(line, sources) for line in results.paper)
    columns = ("the paper's", "measure", "paper", "ours", "our arm", "source")
    caption = "Ours: mean over seeds, and their standard deviation. "
    caption += " ".join(f"[{place}] {source}." for place, source in enumerate(sources, 1))
    blocks: list[Block] = [Table(columns, rows, caption)]
    if results.size == "cpu":
        blocks.append(
            Paragraph(
                "The two columns are of different data and networks, so only the differences between rows "
                "can be held against each other, not the values."
            )
        )
    yield Section("The paper's table beside ours", tuple(blocks))


def _paper_row(line: PaperLine, sources: Sequence[str]) -> tuple[Cell | str, ...]:
    row, digits = line.row, digits_of(line.row.measure.metric)
    spread = "" if row.spread is None else f"± {row.spread:.{digits}f} over cases"
    return (
        row.label,
        measure_title(row.measure),
        Cell.number(row.value, digits, spread),
        _estimate_cell(line.ours) if line.ours else "–",
        row.ours.key if row.ours else "–",
        f"[{sources.index(row.source) + 1}]",
    )


def _estimate_cell(found: Measured) -> Cell:
    digits, value = digits_of(found.measure.metric), found.estimate
    spread = "one seed" if math.isnan(value.sd) else f"± {value.sd:.{digits}f} over seeds"
    return Cell.number(value.mean, digits, spread)


def _measure(results: Results, measure: Measure) -> Section:
    found = [item for item in results.measured if item.measure == measure]
    tests = list(dict.fromkeys(item.column.test for item in found))
    digits = digits_of(measure.metric)
    rows = []
    for arm in results.arms:
        for item in found:
            if item.column.arm != arm.name:
                continue
            value = item.estimate
            seeds = ", ".join(f"{seed:.{digits}f}" for seed in value.seeds)
            interval = "" if math.isnan(value.low) else f"{value.low:.{digits}f} to {value.high:.{digits}f}"
            rows.append(
                (
                    arm.title,
                    item.column.test,
                    Cell.number(value.mean, digits, interval),
                    Cell.number(value.sd, digits),
                    seeds,
                    Cell(str(value.cases), float(value.cases)),
                    Cell(str(item.left_out), float(item.left_out)),
                )
            )
    columns = ("arm", "tested on", "mean", "SD over seeds", "each seed", "cases", "left out")
    caption = "Mean over seeds with its 95 % interval over seeds and cases."
    pictures = tuple(measure_pictures(results, measure, tests))
    shown: tuple[Block, ...] = (Gallery(pictures),) if len(pictures) > 1 else pictures
    return Section(measure_title(measure), (*shown, Table(columns, tuple(rows), caption)))


def _runs(results: Results) -> Section:
    rows = tuple(_arm_row(arm, results) for arm in results.arms)
    columns = ("arm", "network", "scheme", "learnt from", "with tumour", "parameters", "training")
    caption = "Times are means over seeds, on the machine above; others may have worked on it beside."
    return Section("Runs", (Table((*columns, "prediction, a case", "seeds"), rows, caption),))


def _arm_row(arm: ArmResult, results: Results) -> tuple[Cell | str, ...]:
    nothing = math.nan
    return (
        Cell(arm.title, note=arm.name),
        arm.network,
        arm.scheme,
        Cell.number(nothing if arm.cases is None else float(arm.cases), 0),
        Cell.number(nothing if arm.tumours is None else arm.tumours, 1 if (arm.tumours or 0) % 1 else 0),
        Cell("–") if arm.parameters is None else Cell(f"{arm.parameters:,}", float(arm.parameters)),
        Cell("–") if arm.train_s is None else Cell(duration_words(arm.train_s), arm.train_s),
        Cell("–")
        if arm.predict_s_per_case is None
        else Cell(f"{arm.predict_s_per_case:.1f} s", arm.predict_s_per_case),
        f"{len(arm.seeds)} of {results.experiment.seeds}",
    )


def duration_words(seconds: float) -> str:
    """Seconds, minutes or hours.

    Example:
        >>> duration_words(75), duration_words(600), duration_words(7200)
        ('75 s', '10.0 min', '2.0 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _definitions(results: Results) -> Iterator[tuple[str, str]]:
    yield (
        "Interval",
        f"95 %, percentiles of {RESAMPLES} resamples that draw seeds and cases, each by itself; for an AUC "
        "the cases with and without a lesion apart. With one seed it is over cases alone.",
    )
    yield (
        "Agrees",
        "The interval of the difference lies wholly on the side that the paper leads one to expect; does not "
        "agree: wholly on the other; within the noise: it holds 0, so the runs can't tell. Not adjusted for "
        "the number of questions.",
    )
    yield (
        "p",
        "Over cases, each case's value averaged over seeds first: Wilcoxon's signed-rank test, two-sided, or "
        "DeLong's paired test of AUCs. Not adjusted, and blind to the noise of seeds: no verdict is from it.",
    )
    if any(measure.metric == AUC for measure in results.experiment.measures):
        yield (
            "AUC",
            "Of telling cases with a lesion from those without, computed for each seed, then averaged.",
        )
    yield (
        "Left out",
        "Cases without a value in one of the runs, such as a DSC where nobody has a lesion.",
    )


def _order(value: float) -> float:
    return float("inf") if value != value else value
