"""report.html: what an evaluation found, on one page."""

from collections.abc import Iterator
from pathlib import Path

from wirsung import __version__
from wirsung.errors import counted
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.inputs import Method
from wirsung.evaluation.protocol import Protocol
from wirsung.evaluation.report_cases import draw_cases
from wirsung.evaluation.report_definitions import definitions
from wirsung.evaluation.report_detection import detection_section
from wirsung.evaluation.report_pictures import BOXES, comparison_picture, score_pictures
from wirsung.evaluation.report_subgroups import subgroup_section
from wirsung.evaluation.report_tables import (
    case_table,
    comparison_table,
    convention_table,
    failed_table,
    metric_title,
    score_table,
    with_interval,
    words_of,
)
from wirsung.evaluation.report_volumes import volume_section
from wirsung.evaluation.statistics import RESAMPLES
from wirsung.pages.template import (
    Block,
    Code,
    Facts,
    Gallery,
    Notice,
    Page,
    Paragraph,
    Section,
    Tile,
    Tiles,
    write_page,
)


def write_report(path: Path, evaluated: Evaluated) -> None:
    """Write the page."""
    write_page(path, page(evaluated))


def page(evaluated: Evaluated) -> Page:
    """The page as data."""
    detection, scores = detection_section(evaluated), _scores(evaluated)
    ordered = (detection, scores) if evaluated.protocol.detection_first else (scores, detection)
    pictures = draw_cases(evaluated)
    sections = (
        _overview(evaluated),
        *ordered,
        volume_section(evaluated),
        subgroup_section(evaluated),
        *_comparison(evaluated),
        Section("Best, median and worst case", pictures.montages),
        *_failed(evaluated),
        Section("Cases", (case_table(evaluated, pictures.thumbnails),)),
        _protocol(evaluated),
    )
    scored = counted(len(evaluated.cases), "case", "cases")
    return Page(
        title=f"{_named(evaluated.methods)} against {evaluated.reference.name}",
        lead=f"{scored}, scored by the {evaluated.protocol.title} protocol.",
        sections=tuple(section for section in sections if section and section.blocks),
        overline="Evaluation",
        definitions=tuple(definitions(evaluated)),
    )


def _overview(evaluated: Evaluated) -> Section:
    failed = sum(outcome.status == "failed" for outcome in evaluated.outcomes)
    facts = [
        ("Reference", evaluated.reference.name),
        *(
            (_one_of(evaluated.methods, index), _about(method))
            for index, method in enumerate(evaluated.methods)
        ),
        ("Protocol", _protocol_words(evaluated.protocol)),
        ("Protocol's checksum", evaluated.protocol.sha256[:12]),
        ("Cases", f"{len(evaluated.cases)}, {failed or 'no'} failure{'s' * (failed != 1)}"),
        ("Interval", f"95 %, bootstrap over patients, {RESAMPLES} resamples, seed {evaluated.seed}"),
        ("Software", f"Wirsung {__version__}"),
    ]
    blocks: list[Block] = [Tiles(tuple(_tiles(evaluated)))]
    if failed:
        text = f"{failed} of {len(evaluated.outcomes)} could not be scored; see below. No mean includes them."
        blocks.append(Notice(text, "warning"))
    blocks.append(Facts(tuple(facts)))
    for method in evaluated.methods:
        left_out = evaluated.reference.views_for(method)[1]
        if left_out:
            titles = tuple(words_of(name) for name in left_out)
            text = f"{method.name} was not scored on {_listed(titles)}: the reference does not annotate them."
            blocks.append(Notice(text))
    for name, strays in evaluated.strays.items():
        blocks.append(Notice(f"{name} has predictions without a reference, not scored: {_listed(strays)}."))
    for name, notes in evaluated.notes.items():
        text = f"{name} has predictions that were resampled by the nearest voxel: {_listed(tuple(notes))}."
        blocks.append(Notice(f"{text} summary.json says from which grid."))
    return Section("", tuple(blocks))


def _tiles(evaluated: Evaluated) -> Iterator[Tile]:
    structure = evaluated.leading_structure
    count = len(evaluated.scores.structures(evaluated.methods[0].name))
    yield Tile("Cases", str(len(evaluated.cases)), f"{count} structure{'s' * (count != 1)}")
    several = len(evaluated.methods) > 1
    for found in evaluated.findings.methods:
        for metric in evaluated.protocol.headline_names[: 1 if several else 3]:
            summary = found.structures[structure][metric]
            label = f"{words_of(structure)}, {metric_title(metric)}"
            yield Tile(f"{found.name}: {label}" if several else label, *with_interval(summary, metric))
        if found.detection:
            area = found.detection.auc
            value = "–" if area.value != area.value else f"{area.value:.3f}"
            note = area.interval if area.low != area.low else f"{area.low:.3f} to {area.high:.3f}"
            yield Tile(f"{found.name}: lesion AUC" if several else "lesion, AUC by case", value, note)


def _scores(evaluated: Evaluated) -> Section:
    note = "Mean with its 95 % interval below, over the cases where the metric is defined."
    pictures = Gallery(tuple(score_pictures(evaluated)))
    return Section("Scores", (Paragraph(note), score_table(evaluated), Paragraph(BOXES), pictures))


def _comparison(evaluated: Evaluated) -> Iterator[Section]:
    first = evaluated.methods[0].name
    for method in evaluated.methods[1:]:
        pairs = [item for item in evaluated.findings.comparisons if item.second == method.name]
        if pairs:
            blocks = (comparison_table(pairs), Gallery((comparison_picture(evaluated, method.name),)))
            yield Section(f"{method.name} compared with {first}", blocks)


def _failed(evaluated: Evaluated) -> Iterator[Section]:
    failed = [outcome for outcome in evaluated.outcomes if outcome.status == "failed"]
    if failed:
        yield Section("Failed cases", (failed_table(failed),))


def _protocol(evaluated: Evaluated) -> Section:
    """What makes the numbers comparable, and what makes them again."""
    protocol = evaluated.protocol
    facts = (
        ("Name and version", f"{protocol.title} ({protocol.name}), version {protocol.version}"),
        ("SHA-256 of all that decides a number", protocol.sha256),
    )
    blocks: list[Block] = [Facts(facts)]
    if evaluated.command:
        how = "The command, with folders by their names; run it where they lie, with this version of Wirsung."
        blocks.append(Code(evaluated.command, how))
    if protocol.conventions:
        blocks.append(convention_table(protocol))
    return Section("Protocol, and how to reproduce", tuple(blocks))


def _named(methods: tuple[Method, ...]) -> str:
    names = [method.name for method in methods]
    if len(names) > 3:
        return f"{len(names)} methods"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _one_of(methods: tuple[Method, ...], index: int) -> str:
    return "Prediction" if len(methods) == 1 else f"Prediction {index + 1}"


def _about(method: Method) -> str:
    model = f", model {Path(method.about['model']).name}" if "model" in method.about else ""
    checksum = f" ({method.about['model_sha256'][:12]})" if "model_sha256" in method.about else ""
    return f"{method.name}, scheme {method.scheme.name}{model}{checksum}"


def _protocol_words(protocol: Protocol) -> str:
    taus = " and ".join(f"{tau:g} mm" for tau in protocol.tolerances_mm)
    name = f"{protocol.name}, version {protocol.version}"
    return f"{name}, NSD {protocol.test} {taus}" if taus else name


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
