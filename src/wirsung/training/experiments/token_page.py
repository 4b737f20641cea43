"""The page of a measurement of attention by tokens."""

import math
import statistics

from wirsung.pages.drawing import FAINT, INK, LEGEND, as_picture, colour_of, new_axes
from wirsung.pages.template import Block, Cell, Code, Facts, Notice, Page, Paragraph, Picture, Section, Table
from wirsung.training.experiments.token_call import Call
from wirsung.training.experiments.tokens import TokenResults


def token_page(results: TokenResults) -> Page:
    """The page as data."""
    made, plan, machine = results.experiment, results.plan, results.made_by["machine"]
    blocks: list[Block] = [Notice(f"{run}: {why}", "warning") for run, why in results.failed.items()]
    facts = (
        ("Layer", f"{plan.channels} channels, {plan.heads} heads, float32, one image, forward and backward"),
        ("Repeats", f"{plan.repeats}, of which the median counts, after one that does not"),
        (
            "Machine",
            f"{machine['processor']}, {machine['device']}, threads {machine['threads'] or 'not set'}",
        ),
        ("Date", str(results.made_by["date"])),
        (
            "Software",
            f"Wirsung {results.made_by['wirsung']}, commit {results.made_by['commit'] or 'unknown'}",
        ),
    )
    said: tuple[Block, ...] = tuple(Paragraph(sentence) for sentence in results.sentences)
    return Page(
        title=made.title,
        lead=made.about,
        sections=(
            Section("", (*blocks, Facts(facts), Code(results.command))),
            Section("What came out", (*said, _growth_table(results))),
            Section("Time", (_plot(results, "seconds"), _table(results, "seconds"))),
            Section("Memory", (_plot(results, "memory"), _table(results, "memory"))),
        ),
        overline="Experiment",
        definitions=(
            (
                "Memory",
                "The most that one forward and backward held beyond its inputs; of a CPU the peak of "
                "the resident memory, whole pages, so small numbers are uncertain.",
            ),
            (
                "Power",
                "The slope of the logarithms over the larger half of the numbers of tokens, with its "
                "95 % interval over repeats.",
            ),
        ),
    )


def _growth_table(results: TokenResults) -> Table:
    titles = results.titles()
    rows = tuple(
        (
            titles[item.kind],
            Cell.number(
                item.seconds, 2, "" if math.isnan(item.low) else f"{item.low:.2f} to {item.high:.2f}"
            ),
            Cell.number(item.memory, 2),
        )
        for item in results.growth
    )
    return Table(("attention", "time, power of tokens", "memory, power of tokens"), rows)


def _table(results: TokenResults, what: str) -> Table:
    """A row a number of tokens, a column a kind."""
    titles = results.titles()
    rows = []
    for tokens in results.plan.tokens:
        cells: list[Cell | str] = [Cell(f"{tokens:,}", float(tokens))]
        for kind in titles:
            call = next((c for c in results.calls if (c.kind, c.tokens) == (kind, tokens)), None)
            cells.append(_cell(call, what))
        rows.append(tuple(cells))
    unit = {"seconds": "ms", "memory": "MiB"}[what]
    return Table(("tokens", *(f"{title}, {unit}" for title in titles.values())), tuple(rows))


def _cell(call: Call | None, what: str) -> Cell:
    value = _value(call, what) if call else math.nan
    return Cell.number(value, 1, call.reason if call else "not measured")


def _value(call: Call, what: str) -> float:
    if what == "seconds":
        return 1000 * statistics.median(call.seconds) if call.seconds else math.nan
    return math.nan if call.memory_mib is None else call.memory_mib


def _plot(results: TokenResults, what: str) -> Picture:
    figure, axes = new_axes(3.2)
    said = []
    for place, (kind, title) in enumerate(results.titles().items()):
        own = [(call.tokens, _value(call, what)) for call in results.calls if call.kind == kind]
        own = sorted((n, value) for n, value in own if value == value and value > 0)
        axes.plot(*zip(*own, strict=True) if own else ([], []), "-o", color=colour_of(place), label=title)
        said.append(f"{title}: " + ", ".join(f"{n} tokens {value:.1f}" for n, value in own))
    axes.set_xscale("log", base=2)
    if any(line.get_xdata().size for line in axes.lines):  # type: ignore[union-attr]
        axes.set_yscale("log")
    axes.set_xticks(results.plan.tokens, [f"{tokens}" for tokens in results.plan.tokens], rotation=45)
    label = {"seconds": "time, ms", "memory": "memory, MiB"}[what]
    axes.set_xlabel("tokens", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.grid(color=FAINT, alpha=0.3, linewidth=0.7)
    axes.legend(**LEGEND)
    return as_picture(figure, f"{label} by tokens. {'; '.join(said)}.", "Both axes are logarithmic.")
