"""report.html: what an evaluation found, on one page."""

from collections.abc import Iterator
from pathlib import Path

from wirsung import __version__
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.inputs import Method
from wirsung.evaluation.protocol import Protocol
from wirsung.evaluation.report_pictures import case_montages, comparison_picture, roc_picture, score_pictures
from wirsung.evaluation.report_tables import (
    case_table,
    comparison_table,
    detection_table,
    failed_table,
    metric_title,
    score_table,
    with_interval,
)
from wirsung.evaluation.statistics import RESAMPLES
from wirsung.pages.template import (
    Block,
    Facts,
    Notice,
    Page,
    Paragraph,
    Section,
    Tile,
    Tiles,
    write_page,
)

_BOUNDARIES = {
    "voxel": "Voxels of the mask with one of six neighbours outside it; beyond the volume is outside. "
    "Distances go between voxel centres.",
    "surfel": "Surface elements of marching cubes at the corners of voxels, each weighing its area; beyond "
    "the volume is outside. Distances go between corners.",
}


def write_report(path: Path, evaluated: Evaluated) -> None:
    """Write the page."""
    write_page(path, page(evaluated))


def page(evaluated: Evaluated) -> Page:
    """The page as data."""
    names = " and ".join(method.name for method in evaluated.methods)
    detection, scores = _detection(evaluated), _scores(evaluated)
    ordered = (detection, scores) if evaluated.protocol.detection_first else (scores, detection)
    sections = (
        _overview(evaluated),
        *(section for section in ordered if section),
        *_comparison(evaluated),
        Section("Best, median and worst case", tuple(case_montages(evaluated))),
        *_failed(evaluated),
        Section("Cases", (case_table(evaluated),)),
    )
    return Page(
        title=f"{names} against {evaluated.reference.name}",
        lead=f"{len(evaluated.cases)} cases, scored by the {evaluated.protocol.title} protocol.",
        sections=tuple(section for section in sections if section.blocks),
        overline="Evaluation",
        definitions=tuple(_definitions(evaluated)),
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
            titles = tuple(name.replace("_", " ") for name in left_out)
            text = f"{method.name} was not scored on {_listed(titles)}: the reference does not annotate them."
            blocks.append(Notice(text))
    for name, strays in evaluated.strays.items():
        blocks.append(Notice(f"{name} has predictions without a reference, not scored: {_listed(strays)}."))
    return Section("", tuple(blocks))


def _tiles(evaluated: Evaluated) -> Iterator[Tile]:
    structure = evaluated.leading_structure
    count = len(evaluated.scores.structures(evaluated.methods[0].name))
    yield Tile("Cases", str(len(evaluated.cases)), f"{count} structure{'s' * (count != 1)}")
    several = len(evaluated.methods) > 1
    for found in evaluated.findings.methods:
        for metric in evaluated.protocol.headline_names[: 1 if several else 3]:
            summary = found.structures[structure][metric]
            label = f"{structure.replace('_', ' ')}, {metric_title(metric)}"
            yield Tile(f"{found.name}: {label}" if several else label, *with_interval(summary, metric))
        if found.detection:
            area = found.detection.auc
            value = "–" if area.value != area.value else f"{area.value:.3f}"
            note = area.interval if area.low != area.low else f"{area.low:.3f} to {area.high:.3f}"
            yield Tile(f"{found.name}: lesion AUC" if several else "lesion, AUC by case", value, note)


def _scores(evaluated: Evaluated) -> Section:
    note = "Mean with its 95 % interval below, over the cases where the metric is defined."
    return Section("Scores", (Paragraph(note), score_table(evaluated), *score_pictures(evaluated)))


def _detection(evaluated: Evaluated) -> Section | None:
    found = [item for item in evaluated.findings.methods if item.detection]
    if not found:
        return None
    picture = roc_picture(found)
    return Section("Who has a lesion?", (detection_table(found), *([picture] if picture else [])))


def _comparison(evaluated: Evaluated) -> Iterator[Section]:
    first = evaluated.methods[0].name
    for method in evaluated.methods[1:]:
        pairs = [item for item in evaluated.findings.comparisons if item.second == method.name]
        if pairs:
            blocks = (comparison_table(pairs), comparison_picture(evaluated, method.name))
            yield Section(f"{method.name} compared with {first}", blocks)


def _failed(evaluated: Evaluated) -> Iterator[Section]:
    failed = [outcome for outcome in evaluated.outcomes if outcome.status == "failed"]
    if failed:
        yield Section("Failed cases", (failed_table(failed),))


def _one_of(methods: tuple[Method, ...], index: int) -> str:
    return "Prediction" if len(methods) == 1 else f"Prediction {index + 1}"


def _about(method: Method) -> str:
    model = f", model {Path(method.about['model']).name}" if "model" in method.about else ""
    checksum = f" ({method.about['model_sha256'][:12]})" if "model_sha256" in method.about else ""
    return f"{method.name}, scheme {method.scheme.name}{model}{checksum}"


def _protocol_words(protocol: Protocol) -> str:
    taus = " and ".join(f"{tau:g} mm" for tau in protocol.tolerances_mm)
    return f"{protocol.name}, NSD {protocol.test} {taus}" if taus else protocol.name


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _definitions(evaluated: Evaluated) -> Iterator[tuple[str, str]]:
    protocol = evaluated.protocol
    yield "DSC", "2|P∩G| / (|P| + |G|), 0 to 1."
    if protocol.needs_surfaces:
        yield "Boundary", _BOUNDARIES[protocol.boundary]
    for tau in protocol.tolerances_mm if "nsd" in protocol.metrics else ():
        what = "area of both surfaces" if protocol.surfels else "both boundaries' voxels"
        yield (
            f"NSD {tau:g} mm",
            f"Fraction of {what}, pooled, whose distance to the other one is {protocol.test} {tau:g} mm; a "
            f"distance within a millionth of {tau:g} mm counts as equal to it.",
        )
    if "hd95" in protocol.metrics:
        how = "weighed by area" if protocol.surfels else "interpolated linearly"
        yield "HD95", f"The larger of the two directions' 95th percentiles of the distances, {how}."
    if "pancreas" in evaluated.scores.structures(evaluated.methods[0].name):
        yield "Pancreas", "The whole gland: parenchyma, duct and lesion together."
    yield (
        "Undefined",
        "Both empty or reference empty: overlap and distances have no value. Prediction empty: DSC and NSD "
        "are 0, distances have no value. Such cases are counted, never dropped in silence.",
    )
    if any(item.detection for item in evaluated.findings.methods):
        yield (
            "Positive",
            "A case whose reference holds a lesion. A case is called positive by any lesion voxel.",
        )
        yield (
            "AUC",
            "Ties count half. Interval after DeLong on the logit scale; at 1 or 0 an exact one-sided bound.",
        )
    if evaluated.findings.comparisons:
        yield (
            "p",
            "Two-sided Wilcoxon signed-rank test of differences rounded to 1e-9, zeros dropped; adjusted "
            "after Holm over the structures of one metric.",
        )
