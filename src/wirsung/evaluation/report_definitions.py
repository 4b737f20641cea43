"""The definitions at the foot of report.html: what each number on it means."""

from collections.abc import Iterator

from wirsung.evaluation.evaluated import Evaluated

_BOUNDARIES = {
    "voxel": "Voxels of the mask with one of six neighbours outside it; beyond the volume is outside. "
    "Distances go between voxel centres.",
    "surfel": "Surface elements of marching cubes at the corners of voxels, each weighing its area; beyond "
    "the volume is outside. Distances go between corners.",
}


def definitions(evaluated: Evaluated) -> Iterator[tuple[str, str]]:
    """Term and meaning of everything that this page shows."""
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
    if evaluated.findings.volumes:
        yield from _of_volumes()
    yield (
        "Undefined",
        "Both empty or reference empty: overlap and distances have no value. Prediction empty: DSC and NSD "
        "are 0, distances have no value. Such cases are counted, never dropped in silence.",
    )
    yield from _of_detection(evaluated)
    if evaluated.findings.comparisons:
        yield from _of_comparisons()


def _of_detection(evaluated: Evaluated) -> Iterator[tuple[str, str]]:
    if any(item.detection for item in evaluated.findings.methods):
        yield (
            "Positive",
            "A case whose reference holds a lesion. A case is called positive by any lesion voxel.",
        )
        yield (
            "AUC",
            "Ties count half. Interval after DeLong on the logit scale; at 1 or 0 an exact one-sided bound.",
        )
    if any(item.lesions for item in evaluated.findings.methods):
        yield from _of_lesions(evaluated)


def _of_comparisons() -> Iterator[tuple[str, str]]:
    yield (
        "p",
        "Two-sided Wilcoxon signed-rank test of differences rounded to 1e-9, zeros dropped; adjusted "
        "after Holm over the structures of one metric.",
    )
    yield (
        "Effect",
        "Cohen's dz: the mean difference over the standard deviation of the differences. Rank-biserial "
        "correlation: from -1, every case lower, to 1, every case higher.",
    )


def _of_volumes() -> Iterator[tuple[str, str]]:
    yield (
        "Limits of agreement",
        "Bias ± 1.96 standard deviations of the differences: some 95 % of them lie between. After Bland and "
        "Altman, 1999.",
    )
    yield (
        "R²",
        "Of the fit: the square of Pearson's r, blind to bias and scale. Against identity: the share of the "
        "reference's variance that the prediction itself explains; negative where the mean would do better.",
    )
    yield (
        "ICC",
        "Intraclass correlation of single measurements: (A,1) of absolute agreement, (C,1) of consistency, "
        "which a constant shift leaves alone. After McGraw and Wong, 1996.",
    )


def _of_lesions(evaluated: Evaluated) -> Iterator[tuple[str, str]]:
    least = evaluated.protocol.lesion_iou
    yield (
        "Found lesion",
        "Lesions and candidates are 26-connected parts. They are matched one to one, as many as can be, at "
        f"an IoU of at least {least:g}; an unmatched candidate that overlaps a lesion is neither right nor "
        "wrong.",
    )
    yield "T-Sen", "Fraction of lesions that share at least one voxel with the prediction."
    yield (
        "FROC, AP",
        "Over thresholds of a candidate's highest probability: lesions found against false positives per "
        "scan, and the sum of precision times the step in recall.",
    )
