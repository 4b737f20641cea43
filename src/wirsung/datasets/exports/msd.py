"""The layout of the Medical Segmentation Decathlon, as MONAI's `load_decathlon_datalist` reads it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_json
from wirsung.datasets.exports.placing import Placed, Places
from wirsung.datasets.exports.plan import CHANNELS, Cohort, Plan, numbered_folder, told_classes
from wirsung.datasets.exports.settings import ExportSettings
from wirsung.datasets.layout import SUFFIX, Case


def plan_msd(cohort: Cohort, settings: ExportSettings) -> Plan:
    """Plan a folder TaskXX_Name with imagesTr, labelsTr, imagesTs and dataset.json.

    Each training item says its `fold` where the dataset is split, counted from 0, as MONAI takes it.

    Raises:
        ConfigError: The number or the name won't do, or the dataset holds several modalities.
    """
    root = numbered_folder(settings, cohort, "Task", 2)
    channel = CHANNELS[cohort.modality]
    places = {case.id: _places(cohort, case) for case in cohort.cases}
    return Plan(root, places, partial(_finish, root, cohort, channel))


def _places(cohort: Cohort, case: Case) -> Places:
    if cohort.is_test(case):
        return Places(f"imagesTs/{case.id}{SUFFIX}")
    return Places(f"imagesTr/{case.id}{SUFFIX}", f"labelsTr/{case.id}{SUFFIX}")


def _finish(root: Path, cohort: Cohort, channel: str, placed: Mapping[str, Placed]) -> list[str]:
    folds = (
        {case: k for k, fold in enumerate(cohort.split.folds) for case in fold.validation}
        if cohort.split
        else {}
    )
    training: list[dict[str, Any]] = []
    test: list[str] = []
    for case, made in sorted(placed.items()):
        image = f"./{made.files[0]}"
        if image.startswith("./imagesTs/"):
            test.append(image)
        else:
            fold = {"fold": folds[case]} if case in folds else {}
            training.append({"image": image, "label": f"./{made.files[1]}", **fold})
    description, source = cohort.dataset.description, cohort.contents.source
    write_json(
        root / "dataset.json",
        {
            "name": cohort.dataset.name,
            "description": f"Scheme {cohort.classes.scheme.name}",
            "reference": source.homepage if source is not None else "",
            "licence": description.licence or (source.licence.name if source is not None else ""),
            "release": description.version,
            "tensorImageSize": "3D",
            "modality": {"0": channel},
            "labels": {str(value): name for name, value in cohort.classes.labels.items()},
            "numTraining": len(training),
            "numTest": len(test),
            "training": training,
            "test": test,
        },
    )
    return told_classes(cohort)
