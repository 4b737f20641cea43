"""Table 1 over 36,390 synthetic cases and 1,018,920 structures, beside the package `tableone`.

Promises: at most 1 s once the tables are in memory, at most 3 s from a cold start of Python. The peer gets
the same columns, already joined, which for us is part of the time.

    .venv/bin/python benchmarks/table_one.py               # about a minute; writes results/table_one.json
    .venv/bin/python benchmarks/table_one.py --small       # to see that it works; writes nothing
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from recording import record

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.manifest import (
    MANIFEST_FILE,
    STRUCTURES_FILE,
    read_manifest,
    read_structures,
    write_manifest,
    write_structures,
)
from wirsung.datasets.tables.cohort import Cohort, cohort
from wirsung.datasets.tables.table_one import VARIABLES, table_one

TRAIN, TEST = 9_901, 26_489
SMALL = 200
ROUNDS = 5
COLD = """
from pathlib import Path
import sys
from wirsung.datasets.manifest import read_manifest, read_structures
from wirsung.datasets.tables.cohort import cohort
from wirsung.datasets.tables.table_one import table_one
table_one([cohort(Path(p).name, read_manifest(Path(p)), read_structures(Path(p))) for p in sys.argv[1:]])
"""


def synthetic(folder: Path, cases: int, seed: int) -> None:
    """A manifest and a table of structures with the shape of the real ones, and nothing else real."""
    random = np.random.default_rng(seed)
    write_manifest(folder, [])
    write_structures(folder, [])
    names = [f"case-{number:05d}" for number in range(cases)]
    manifest = {
        "case": names,
        "patient": names,
        "sex": random.choice(["F", "M", None], cases).tolist(),
        "phase": random.choice(["non-contrast", "venous", "arterial", "delayed"], cases).tolist(),
        "age_years": pa.array(random.integers(18, 91, cases), mask=random.random(cases) < 0.4),
        "spacing_i_mm": random.uniform(0.5, 1, cases),
        "spacing_k_mm": random.choice([0.8, 1.25, 2.5, 5], cases),
        "tumour": (random.random(cases) < 0.1).tolist(),
        "has_labels": [True] * cases,
    }
    manifest["spacing_j_mm"] = manifest["spacing_i_mm"]
    structures = scheme("pants-28").structure_names()
    rows = cases * len(structures)
    measured = {
        "case": np.repeat(names, len(structures)),
        "structure": np.tile(structures, cases),
        "volume_ml": random.lognormal(4, 0.5, rows),
        "hu_mean": random.normal(60, 30, rows),
        "components": np.ones(rows, dtype=np.int32),
    }
    for file, columns in ((MANIFEST_FILE, manifest), (STRUCTURES_FILE, measured)):
        schema = pq.read_schema(folder / file)
        count = len(columns["case"])
        filled = [
            pa.array(columns[field.name]).cast(field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in schema
        ]
        pq.write_table(pa.Table.from_arrays(filled, schema=schema), folder / file)


def peer(cohorts: list[Cohort]) -> float:
    """Seconds that tableone takes for the same variables."""
    import pandas as pd
    from tableone import TableOne

    frames = []
    for item in cohorts:
        frame = pd.DataFrame({**item.numbers, **item.words})
        frame["cohort"] = item.name
        frames.append(frame)
    everything = pd.concat(frames, ignore_index=True)
    known = [variable for variable in VARIABLES if variable.column in everything]
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TableOne(
            everything,
            columns=[variable.column for variable in known],
            categorical=[variable.column for variable in known if variable.kind == "count"],
            nonnormal=[variable.column for variable in known if variable.kind == "median"],
            groupby="cohort",
            pval=True,
            smd=True,
        )
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="Table 1, beside the package tableone")
    parser.add_argument("--small", action="store_true", help="two cohorts of 200 cases, nothing recorded")
    small = parser.parse_args().small
    sizes = (SMALL, SMALL) if small else (TRAIN, TEST)
    figures = measured(sizes)
    if small:
        print(json.dumps(figures, indent=2))
    else:
        record("table_one", figures)


def measured(sizes: tuple[int, int]) -> dict[str, object]:
    """Seconds after load and from a cold start, and how the peer compares in the same rounds."""
    with tempfile.TemporaryDirectory() as root:
        folders = [Path(root) / "training", Path(root) / "test"]
        for seed, (folder, cases) in enumerate(zip(folders, sizes, strict=True)):
            folder.mkdir()
            synthetic(folder, cases, seed)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", COLD, *map(str, folders)], check=True)
        cold_s = time.perf_counter() - started
        loaded = [(folder.name, read_manifest(folder), read_structures(folder)) for folder in folders]
        ours, theirs = [], []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            cohorts = [cohort(*item) for item in loaded]
            table_one(cohorts)
            ours.append(time.perf_counter() - started)
            theirs.append(peer(cohorts))
    ratios = [other / own for own, other in zip(ours, theirs, strict=True)]
    return {
        "cases": sum(sizes),
        "structures": sum(sizes) * 28,
        "after_load_s": round(median(ours), 2),
        "cold_s": round(cold_s, 2),
        "times_faster_than_tableone": round(median(ratios), 1),
    }


if __name__ == "__main__":
    main()
