"""nnU-Net v2's raw dataset: imagesTr, labelsTr, imagesTs, dataset.json and splits_final.json."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_json
from wirsung.datasets.exports.placing import Placed, Places
from wirsung.datasets.exports.plan import CHANNELS, Cohort, Plan, numbered_folder, told_classes
from wirsung.datasets.exports.settings import ExportSettings
from wirsung.datasets.layout import SUFFIX, Case
from wirsung.datasets.splits import as_nnunet

_REORIENTING = "NibabelIOWithReorient"
"""nnU-Net's reader that brings every image into one axis order."""


def plan_nnunet(cohort: Cohort, settings: ExportSettings) -> Plan:
    """Plan a folder that `nnUNetv2_plan_and_preprocess --verify_dataset_integrity` accepts.

    Label maps of test cases go into `labelsTs`, which nnU-Net passes over.

    Raises:
        ConfigError: The number or the name won't do, or the dataset holds several modalities.
    """
    root = numbered_folder(settings, cohort, "Dataset", 3)
    channel = CHANNELS[cohort.modality]
    places = {case.id: _places(cohort, case) for case in cohort.cases}
    return Plan(root, places, partial(_finish, root, cohort, channel))


def _places(cohort: Cohort, case: Case) -> Places:
    is_test = cohort.is_test(case)
    side = "Ts" if is_test else "Tr"
    has_labels = not is_test or not cohort.classes.missing_in(case)
    labels = f"labels{side}/{case.id}{SUFFIX}" if has_labels else None
    return Places(f"images{side}/{case.id}_0000{SUFFIX}", labels)


def _finish(root: Path, cohort: Cohort, channel: str, placed: Mapping[str, Placed]) -> list[str]:
    learnt = sorted(case for case, made in placed.items() if made.files[0].startswith("imagesTr/"))
    codes = {made.axis_codes for made in placed.values()}
    description = cohort.dataset.description
    source = cohort.contents.source
    content: dict[str, Any] = {
        "name": cohort.dataset.name,
        "description": f"Scheme {cohort.classes.scheme.name}",
        "reference": source.homepage if source is not None else "",
        "licence": description.licence or (source.licence.name if source is not None else ""),
        "release": description.version,
        "converted_by": f"wirsung {__version__}",
        "channel_names": {"0": channel},
        "labels": cohort.classes.labels,
        "numTraining": len(learnt),
        "file_ending": SUFFIX,
    }
    if len(codes) > 1:
        content["overwrite_image_reader_writer"] = _REORIENTING
    write_json(root / "dataset.json", content)
    return [*told_classes(cohort), *_told_axes(codes), *_split(root, cohort, learnt), *_next(root)]


def _told_axes(codes: set[str]) -> list[str]:
    if len(codes) < 2:
        return []
    return [f"The images have axes {', '.join(sorted(codes))}: dataset.json names {_REORIENTING} for that."]


def _split(root: Path, cohort: Cohort, learnt: list[str]) -> list[str]:
    """The folds of the cases that are there."""
    split, dataset = cohort.split, cohort.dataset.root
    if split is None:
        advice = f"run wirsung split {dataset}, and this again"
        return [f"No splits_final.json, so nnU-Net would split scans, not patients: {advice}."]
    there = set(learnt)
    folds = [
        {side: [case for case in cases if case in there] for side, cases in fold.items()}
        for fold in as_nnunet(split)
    ]
    write_json(root / "splits_final.json", folds)
    return ["Folds: those of splits.json, in splits_final.json, which nnU-Net's planning takes along."]


def _next(root: Path) -> list[str]:
    number = int(root.name.removeprefix("Dataset").partition("_")[0])
    return [
        f"Next, with nnUNet_raw={root.absolute().parent}: "
        f"nnUNetv2_plan_and_preprocess -d {number} --verify_dataset_integrity"
    ]
