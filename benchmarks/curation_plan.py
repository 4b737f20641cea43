"""Planning the curation of 36,390 scans, told from rows that were made up, on one core.

Promise: 36,390 rows are planned in under 5 s. A row is read in two ways, and both are measured:

- a row a scan: 36,390 cases, as found in an index, to verdicts, time, size and the written page;
- a row a file: 36,390 slices in an index on the disk (some 130 scans) to stacks, cases and the page.

Beside it, for the whole way of 36,390 scans, what a million rows a file take; it grows in proportion.

    .venv/bin/python benchmarks/curation_plan.py
    .venv/bin/python benchmarks/curation_plan.py --rounds 1 --try     a trial, not recorded
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from recording import record

from wirsung.curation.index import Index
from wirsung.curation.index_rows import ROW_SCHEMA
from wirsung.curation.intake import Source
from wirsung.curation.plan import Plan
from wirsung.curation.plan_cases import Extent, PlannedCase, planned_cases
from wirsung.curation.plan_page import write_plan
from wirsung.curation.plan_rates import OURS
from wirsung.curation.stack_sources import by_stacks
from wirsung.curation.verdicts import Verdict

SCANS = 36_390
REFUSALS = ("SLICE_GAP", "SPACING_UNEVEN", "DUP_POSITION", "NO_POSITION", "PIXELS_TRUNCATED")


def cases(count: int, seed: int = 0) -> Iterator[PlannedCase]:
    """Scans of 60 to 900 slices; 1 % are refused, 3 % repaired, 2 % are MR."""
    rng = np.random.default_rng(seed)
    slices = np.clip(rng.lognormal(5.5, 0.6, count), 60, 900).astype(int)
    chances = rng.random(count)
    for number, (depth, chance) in enumerate(zip(slices.tolist(), chances.tolist(), strict=True)):
        extent = Extent("mr" if chance > 0.98 else "ct", 512 * 512 * depth, depth, 512 * 514 * depth)
        verdict = Verdict("accept")
        if chance < 0.01:
            code = REFUSALS[number % len(REFUSALS)]
            verdict = Verdict("quarantine", code, f"scan/{number:05d}: {code}, as made up. Export it again.")
        elif chance < 0.04:
            verdict = Verdict("repair", "STACK_SPLIT", "Its series holds several stacks.")
        yield PlannedCase(f"scan-{number:05d}", verdict, extent, has_labels=True)


def rows(count: int, slices: int = 275) -> Iterator[dict[str, Any]]:
    """Rows of the index: CT series of 275 slices, each in its folder; every hundredth lacks a slice."""
    for number in range(count + count // slices + 1):
        scan, place = divmod(number, slices)
        if place == 100 and scan % 100 == 99:
            continue
        yield {
            "file": f"{scan:05d}/study/series/IM{place:04d}",
            "size": 527_000,
            "mtime_ns": 1_700_000_000_000_000_000 + number,
            "status": "slice",
            "patient": f"p{scan:012x}",
            "study": f"s{scan:012x}",
            "series": f"s{scan * 2654435761 % 2**48:012x}",
            "modality": "CT",
            "frame_of_reference": f"f{scan:012x}",
            "image_type": "i0123456789ab",
            "kernel": "k0123456789ab",
            "moments": [f"m{place:012x}"],
            "frame": 0,
            "is_localizer": False,
            "rows": 512,
            "columns": 512,
            "position_mm": [-200.0, -180.0, -300.0 + 1.25 * place],
            "orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            "spacing_mm": [0.78, 0.78],
            "slope": 1.0,
            "intercept": -1024.0,
            "rescale_type": "HU",
            "has_lookup_table": False,
        }


def write_index(folder: Path, count: int) -> None:
    table = pa.Table.from_pylist(list(rows(count))[:count], schema=ROW_SCHEMA)
    folder.mkdir()
    pq.write_table(table, folder / "00.parquet", compression="zstd")


def plan_scans(made_up: list[PlannedCase], folder: Path) -> Plan:
    """From cases to the page."""
    plan = Plan(made_up, OURS, {"LOCALIZER": 2 * len(made_up)}, 64, folder / "out", folder / "plan.html")
    write_plan(plan, "a large cohort")
    plan.lines()
    return plan


def plan_files(folder: Path) -> Plan:
    """From the index on the disk to the page."""
    root = folder / "src"
    index = Index(folder / "index", root)
    found = by_stacks([Source("any", ".", "dicom", root)], root, index)
    return plan_scans(planned_cases(found, index), folder)


def plan_36390(rounds: int = 5) -> dict[str, Any]:
    """The figures, each the median of the rounds."""
    by_scan, by_file = [], []
    made_up = list(cases(SCANS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_index(folder / "index", SCANS)
        for _ in range(rounds):
            started = time.perf_counter()
            large = plan_scans(made_up, folder)
            by_scan.append(time.perf_counter() - started)
            started = time.perf_counter()
            small = plan_files(folder)
            by_file.append(time.perf_counter() - started)
    return {
        "36,390 rows, a row a scan": {"median_s": round(median(by_scan), 2), "promise_s": 5},
        "36,390 rows, a row a file": {
            "median_s": round(median(by_file), 2),
            "promise_s": 5,
            "scans": len(small.cases),
            "refused": len(small.by_verdict["quarantine"]),
        },
        "a million rows, a row a file": {"in_proportion_s": round(median(by_file) / SCANS * 1e6)},
        "what it says of 36,390 scans": large.lines(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--try", dest="is_trial", action="store_true")
    options = parser.parse_args()
    figures = plan_36390(options.rounds)
    if options.is_trial:
        print(figures)
    else:
        record("curation_plan", figures)


if __name__ == "__main__":
    main()
