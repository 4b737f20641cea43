"""Experiment (g): what a network that has seen phantoms only makes of real scans.

    .venv/bin/python benchmarks/synthetic_training.py prepare ../shared/data REAL
    .venv/bin/wirsung experiment configs/experiments/synthetic.toml OUT --data ct=REAL/ct mr=REAL/mr
    .venv/bin/python benchmarks/synthetic_training.py score MODEL REAL PREDICTED
    .venv/bin/python benchmarks/synthetic_training.py page [OUT]

prepare: the real scans as two datasets, CT in the soft-tissue window and MR. score: any model on them, with
PREDICTED/pictures.html. page: docs/experiments/synthetic.md of what the experiment and `score` found.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from experiments import section, small
from recording import ROOT, record

from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.datasets.layout import Dataset
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.imaging.dicom import read_series
from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings
from wirsung.pages.montage import Contour, montage
from wirsung.pages.template import Page, Picture, Section, write_page
from wirsung.phantom.randomised.contrast import FULL, WINDOW_HU, window

STRUCTURES = {"spleen": 1, "kidney_right": 2, "kidney_left": 3, "liver": 5, "pancreas": 7}
"""Their values in TotalSegmentator's label maps of CT and of MR."""
COLOURS = {
    "pancreas": "#ffd60a",
    "liver": "#e08e45",
    "spleen": "#ff5c5c",
    "kidney_left": "#4cc9f0",
    "kidney_right": "#3a86ff",
}
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "experiments" / "synthetic.md"
BEGIN, END = "<!-- begin: made by benchmarks/synthetic_training.py -->", "<!-- end -->"


def windowed(volume: Volume) -> Volume:
    """The CT as the randomised phantoms show one: 0 to 1000 over the soft-tissue window."""
    shown = np.clip(window(volume.voxels.astype(np.float32), *WINDOW_HU), 0, FULL)
    return volume.with_voxels(np.rint(shown).astype(np.int16))


def write_case(folder: Path, image: Volume, labels: Volume) -> None:
    """The image as MRI of no known sequence, whose scale means nothing, and a mask a structure."""
    write_nifti(folder / "mr.nii.gz", image)
    labels = reorient(labels, axis_codes(image.affine))
    for name, value in STRUCTURES.items():
        mask = Volume((labels.voxels == value).astype(np.uint8), image.affine)
        write_nifti(folder / "segmentations" / f"{name}.nii.gz", mask)


def prepare(source: Path, out: Path) -> None:
    """Write out/ct and out/mr."""
    abdomen, series, mr = source / "ct_abdomen", source / "ct_dicom", source / "mr_abdomen"
    raw = out / "raw"
    write_case(
        raw / "ct" / "native-phase",
        windowed(read_image(abdomen / "ct_crop.nii.gz")),
        read_image(abdomen / "ct_crop_totalsegmentator_v2.nii.gz"),
    )
    write_case(
        raw / "ct" / "upper-slices",
        windowed(read_series(series / "series").volume),
        read_image(series / "totalsegmentator_v2.nii.gz"),
    )
    write_case(raw / "mr" / "mr", read_image(mr / "mr.nii.gz"), read_image(mr / "totalsegmentator_mr.nii.gz"))
    for name in ("ct", "mr"):
        for outcome in curate(CurateSettings(raw / name, out / name, name=f"real-{name}")):
            print(f"{name}, case {outcome.case}: {outcome.status} {outcome.message or ''}")


def score(model: Path, real: Path, out: Path) -> None:
    """Predict and score both datasets, and draw every case."""
    values: dict[str, dict[str, float]] = {}
    pictures: list[Picture] = []
    for name in ("ct", "mr"):
        predicted = out / name
        failed = [
            item
            for item in predict(PredictSettings(real / name, predicted, model=model, step=0.25))
            if item.status == "failed"
        ]
        if failed:
            msg = f"{failed[0].case}: {failed[0].message}"
            raise SystemExit(msg)
        evaluate(EvaluateSettings(real / name, predicted, out=out / f"scores-{name}"))
        rows = pq.read_table(out / f"scores-{name}" / "scores.parquet").to_pylist()
        for row in rows:
            if row["metric"] == "dsc" and row["structure"] in STRUCTURES and row["value"] == row["value"]:
                values.setdefault(f"{name}: {row['case']}", {})[row["structure"]] = round(row["value"], 3)
        pictures += drawn(real / name, predicted, values, name)
    lead = "Solid lines: reference. Dashed lines: a network that has never seen a real scan."
    write_page(
        out / "pictures.html", Page("Phantoms to patients", lead, (Section("Real scans", tuple(pictures)),))
    )
    record("synthetic_long", {"model": facts_of(model), "dsc": values})


def drawn(dataset: Path, predicted: Path, values: dict[str, dict[str, float]], name: str) -> list[Picture]:
    """A montage a case."""
    made = []
    classes = json.loads((predicted / "predictions.json").read_text(encoding="utf-8"))["classes"]
    value_of = {structure: int(value) for value, structure in classes.items()}
    opened = Dataset.open(dataset)
    for case in opened.cases:
        image = read_image(opened.case(case.id).image_path)
        label_map = read_label_map(predicted / f"{case.id}.nii.gz")
        contours = []
        for structure, colour in COLOURS.items():
            path = opened.case(case.id).label_folder / "segmentations" / f"{structure}.nii.gz"
            contours.append(Contour(f"{structure}, reference", read_label_map(path), colour))
            ours = label_map.with_voxels(label_map.voxels == value_of[structure])
            contours.append(Contour(f"{structure}, predicted", ours, colour, dashed=True))
        said = ", ".join(f"{words(key)} {dsc:.2f}" for key, dsc in values[f"{name}: {case.id}"].items())
        top = float(np.percentile(image.voxels, 98))
        made.append(
            montage(
                contours,
                image=image,
                window=(0, top),
                slices=3,
                alternative=f"Slices of {case.id} with the contours of reference and prediction: {said}.",
                caption=f"{name}, {case.id}: DSC {said}.",
            )
        )
    return made


def facts_of(model: Path) -> dict[str, Any]:
    """What the model learnt from and how, by its own files."""
    plans = json.loads((model / "plans.json").read_text(encoding="utf-8"))
    made = json.loads((model / "wirsung.json").read_text(encoding="utf-8"))
    chosen = plans["configurations"]["3d_fullres"]
    history = json.loads(next(model.glob("fold_*/history.json")).read_text(encoding="utf-8"))
    return {
        "cases": len({case for fold in made["folds"].values() for case in fold["train"]}),
        "patch": chosen["patch_size"],
        "spacing_mm": chosen["spacing"],
        "batch_size": chosen["batch_size"],
        "features": chosen["architecture"]["arch_kwargs"]["features_per_stage"],
        "epochs": len(history["train_losses"]),
    }


def page(out: Path | None) -> None:
    """Write docs/experiments/synthetic.md between its two comments."""
    path = RESULTS / "synthetic_ablation.json"
    if out is not None:
        found = json.loads((out / "results.json").read_text(encoding="utf-8"))
        path.write_text(json.dumps(small(found), indent=1) + "\n", encoding="utf-8")
    parts = []
    long = RESULTS / "synthetic_long.json"
    if long.is_file():
        parts.append(long_section(json.loads(long.read_text(encoding="utf-8"))))
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        parts += [worth_section(found), section(found)]
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    body = "\n\n".join(parts)
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def long_section(found: dict[str, Any]) -> str:
    """The table of one model, by case."""
    figures, facts = found["figures"], found["figures"]["model"]
    rows = [
        "| case | " + " | ".join(words(name) for name in COLOURS) + " |",
        "|---" * (len(COLOURS) + 1) + "|",
    ]
    for case, values in figures["dsc"].items():
        cells = [f"{values[name]:.3f}" if name in values else "–" for name in COLOURS]
        rows.append(f"| {case} | {' | '.join(cells)} |")
    patch = " x ".join(map(str, facts["patch"]))
    said = (
        f"{found['date']}, {found['machine']['processor']}, {found['machine']['cores']} cores, commit "
        f"{found['commit']}: learnt from {facts['cases']} phantoms, patches of {patch} voxels of "
        f"{facts['spacing_mm'][0]:g} mm, {facts['epochs']} epochs."
    )
    return "\n".join(["## The longer run, all five kinds, one seed: DSC on real scans", "", said, "", *rows])


def worth_section(found: dict[str, Any]) -> str:
    """What is lost where a kind is left out: the arm less all, over both tests."""
    arms = {arm["name"]: arm["title"] for arm in found["arms"]}
    by_key = {(item["arm"], item["test"], item["measure"]): item["mean"] for item in found["measured"]}
    measures = [f"{name} dsc" for name in COLOURS]
    rows = ["| arm | test | " + " | ".join(words(name) for name in COLOURS) + " |"]
    rows.append("|---" * (len(COLOURS) + 2) + "|")
    for arm, title in arms.items():
        for test in ("ct", "mr"):
            pairs = [(by_key.get((arm, test, m)), by_key.get(("all", test, m))) for m in measures]
            if arm == "all" or all(own is None for own, _ in pairs):
                continue
            cells = ["–" if own is None or base is None else f"{own - base:+.3f}" for own, base in pairs]
            rows.append(f"| {title} | {test} | {' | '.join(cells)} |")
    return "\n".join(["## What each kind is worth: DSC less that of all five kinds", "", *rows])


def words(structure: str) -> str:
    """For people."""
    return structure.replace("_", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, names in (("prepare", ("source", "out")), ("score", ("model", "real", "out"))):
        own = verbs.add_parser(verb)
        for name in names:
            own.add_argument(name, type=Path)
    verbs.add_parser("page").add_argument("out", type=Path, nargs="?")
    given = parser.parse_args()
    if given.verb == "prepare":
        prepare(given.source, given.out)
    elif given.verb == "score":
        score(given.model, given.real, given.out)
    else:
        page(given.out)


if __name__ == "__main__":
    main()
