"""What each preset of `wirsung predict` costs in Dice and saves in time, on phantoms and on real CTs.

    .venv/bin/python benchmarks/presets.py --work DIR [--data ../shared/data]    measure, then write the table
    .venv/bin/python benchmarks/presets.py                                       the table alone

All presets run on the same weights: the demo's U-Net, which the script trains for half an hour (see
`presets_model.py`), or --model PATH, which must know the same five structures. The same network is run for
all of them, and for its pancreas alone, which is what a region of interest is for.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from presets_model import STRUCTURES, Case, make_model, pancreas_only, phantoms, real
from recording import ROOT, record

from wirsung.inference.predictor import How, Predictor
from wirsung.inference.presets import PRESETS

RESULTS = ROOT / "benchmarks" / "results" / "presets.json"
PAGE = ROOT / "docs" / "concepts" / "presets.md"
BEGIN, END = "<!-- begin: made by benchmarks/presets.py -->", "<!-- end -->"
NAMES = tuple(STRUCTURES)


def main() -> None:
    """Measure where a folder to work in is named; then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path)
    parser.add_argument("--model", type=Path, help="in place of a network that is trained here")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("WIRSUNG_TEST_DATA", ROOT / "../shared/data")
    )
    parser.add_argument("--epochs", type=int, default=120, help="of 15 batches")
    parser.add_argument("--phantoms", type=int, default=4, help="to test on")
    parser.add_argument("--trial", action="store_true", help="print, record nothing")
    chosen = parser.parse_args()
    if chosen.work is not None:
        figures = measured(chosen.work, chosen.data, chosen)
        if chosen.trial:
            print("\n".join(table(figures)))
            return
        record("presets", figures)
    write_page()


def measured(work: Path, data: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """A row a case, task and preset."""
    scans = real(data)
    model = chosen.model or make_model(work / "training", scans[0], chosen.epochs)
    tests = [*phantoms(work / "tests", chosen.phantoms, seed=1), *scans]
    rows = []
    for task, path in (("five structures", model), ("pancreas alone", pancreas_only(model))):
        for preset in PRESETS:
            predictor = Predictor.load(path, how=How("cpu", preset=preset))
            predictor.predict(tests[0].image)  # so that no compilation is counted
            for case in tests:
                rows.append({"task": task, "preset": preset, **row(predictor, case)})
                print(
                    json.dumps({key: value for key, value in rows[-1].items() if key != "found"}), flush=True
                )
    judge(rows)
    epochs = {"epochs": None if chosen.model else chosen.epochs}
    return {**epochs, "structures": list(NAMES), "rows": rows}


def row(predictor: Predictor, case: Case) -> dict[str, Any]:
    """One case by one preset."""
    started = time.perf_counter()
    made = predictor.predict(case.image)
    seconds = time.perf_counter() - started
    found = made.label_map.voxels
    value_of = {item.name: item.value for item in predictor.classes}
    dice = {}
    for index, name in enumerate(NAMES, start=1):
        truth = case.labels.voxels == index
        if name in value_of and truth.any():
            dice[name] = round(dsc(truth, found == value_of[name]), 4)
    (work,) = made.work
    return {
        "case": case.name,
        "dsc": dice,
        "seconds": round(seconds, 2),
        "network_s": round(made.seconds["network"] + made.seconds["locating"], 2),
        "tiles": work["tiles"],
        "region": work.get("region"),
        "found": found,
    }


def judge(rows: list[dict[str, Any]]) -> None:
    """How each agrees with `exact`: equal labels over all foreground as a Dice, and the equal voxels."""
    exact = {(one["task"], one["case"]): one["found"] for one in rows if one["preset"] == "exact"}
    for one in rows:
        truth, found = exact[one["task"], one["case"]], one.pop("found")
        total = int((truth > 0).sum()) + int((found > 0).sum())
        equal = int(((truth > 0) & (truth == found)).sum())
        one["agreement"] = round(2 * equal / total if total else 1.0, 4)
        one["equal_voxels"] = round(float((truth == found).mean()), 6)


def dsc(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """The overlap of two masks; 1 where both are empty."""
    total = int(truth.sum()) + int(found.sum())
    return 2 * int((truth & found).sum()) / total if total else 1.0


def write_page() -> None:
    """The table in docs/concepts/presets.md, of what was measured last."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    machine, figures = found["machine"], found["figures"]
    epochs = figures["epochs"]
    of_what = f"the network of the demo after {epochs} epochs" if epochs else "a model of somebody's"
    where = f"{machine['processor']}, {machine['cores']} cores, commit {found['commit']}"
    when = f"{found['date']}, {where}: {of_what}."
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    body = "\n".join([when, "", *table(figures)])
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(PAGE.relative_to(ROOT))


def table(figures: dict[str, Any]) -> list[str]:
    """A row a task, kind of scan and preset; each number a mean over cases, worst in brackets."""
    rows = figures["rows"]
    lines = [
        "| labels | scans | preset | DSC, mean | DSC, pancreas (worst) | loss against exact (worst) | "
        "agreement with exact (worst) | tiles | network, s | whole, s | times faster |",
        "|---" * 11 + "|",
    ]
    for task in dict.fromkeys(one["task"] for one in rows):
        for kind in ("phantom", "real, learnt from", "real, never seen"):
            own = [one for one in rows if one["task"] == task and one["case"].startswith(kind)]
            base = {one["case"]: one for one in own if one["preset"] == "exact"}
            for preset in dict.fromkeys(one["preset"] for one in own):
                chosen = [one for one in own if one["preset"] == preset]
                cells = [task, f"{len(chosen)} {kind}", f"`{preset}`", *cells_of(chosen, base)]
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def cells_of(chosen: list[dict[str, Any]], base: dict[str, dict[str, Any]]) -> list[str]:
    """The numbers of one line."""
    means = [statistics.mean(one["dsc"].values()) for one in chosen]
    pancreas = [one["dsc"]["pancreas"] for one in chosen if "pancreas" in one["dsc"]]
    losses = [
        statistics.mean(base[one["case"]]["dsc"].values()) - mean
        for one, mean in zip(chosen, means, strict=True)
    ]
    agreements = [one["agreement"] for one in chosen]
    seconds = [one["seconds"] for one in chosen]
    exact_s = [base[one["case"]]["seconds"] for one in chosen]
    return [
        f"{statistics.mean(means):.3f}",
        f"{statistics.mean(pancreas):.3f} ({min(pancreas):.3f})" if pancreas else "–",
        f"{statistics.mean(losses):+.4f} ({max(losses):+.4f})",
        f"{statistics.mean(agreements):.4f} ({min(agreements):.4f})",
        f"{statistics.mean(one['tiles']['computed'] for one in chosen):.0f}",
        f"{statistics.mean(one['network_s'] for one in chosen):.1f}",
        f"{statistics.mean(seconds):.1f}",
        f"{sum(exact_s) / sum(seconds):.1f}",
    ]


if __name__ == "__main__":
    main()
