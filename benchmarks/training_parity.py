"""Our training driver against nnU-Net's own command line: the same seed, plans and preprocessed files.

Promise: the same loss to 1e-4 in each of 20 steps, on the CPU. The peer is `nnUNetv2_train` of nnU-Net 2.8 as
a process of its own, with its environment variables and its own trainer; `seeded_nnunet.py` says what is
added, which is the seed. Ours is `wirsung train`, whose journal is read.

    .venv/bin/python benchmarks/training_parity.py
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from recording import record

EPOCHS, ITERATIONS = 2, 10
PROMISE = 1e-4
SCHEME = "parity"
PATCH = (16, 16, 24)

_THEIRS = Path(__file__).parent / "seeded_nnunet.py"
_CLASSES = ("pancreas", "liver", "spleen")
_DATASET = "Dataset001_Wirsung"


def make_dataset(root: Path) -> None:
    """Phantoms of three organs, split into two folds; no class names a side, so that both sides mirror."""
    from wirsung.curation.run import curate
    from wirsung.curation.settings import CurateSettings
    from wirsung.datasets.splits import SplitSettings, split
    from wirsung.phantom.cohort import phantom
    from wirsung.phantom.settings import PhantomSettings

    phantom(PhantomSettings(root / "raw", cases=4, preset="tiny", seed=3))
    curate(CurateSettings(root / "raw", root / "dataset"))
    split(SplitSettings(root / "dataset", folds=2))
    rows = "".join(
        f'    {{ value = {value}, name = "{name}", structures = ["{name}"] }},\n'
        for value, name in enumerate(_CLASSES, 1)
    )
    (root / f"{SCHEME}.toml").write_text(
        f'schema = 1\nname = "{SCHEME}"\nclasses = [\n{rows}]\n', encoding="utf-8"
    )


def our_losses(root: Path) -> list[float]:
    """Of each step of `wirsung train`."""
    from wirsung.training.watching.journal import JOURNAL_FILE, read_journal, steps_of

    words = ["train", str(root / "dataset"), str(root / "model"), "--scheme", str(root / f"{SCHEME}.toml")]
    words += ["--device", "cpu", "--epochs", str(EPOCHS), "--iterations", str(ITERATIONS)]
    words += ["--patch", *map(str, PATCH), "--features", "6", "24", "--batch-size", "2", "--finest-mm", "3"]
    words += ["--workers", "1"]
    command = [sys.executable, "-m", "wirsung", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return [step.loss for step in steps_of(read_journal(root / "model" / "fold_0" / JOURNAL_FILE))]


def their_losses(root: Path) -> list[float]:
    """Of each step of `nnUNetv2_train`, from our plans and our preprocessed files."""
    theirs = root / "nnunet"
    folder = theirs / "preprocessed" / _DATASET
    shutil.copytree(root / "model" / "work" / "preprocessed" / _DATASET, folder)
    shutil.copyfile(root / "model" / "plans.json", folder / "nnUNetPlans.json")
    split = json.loads((root / "dataset" / "splits.json").read_text(encoding="utf-8"))
    folds = [{"train": fold["train"], "val": fold["validation"]} for fold in split["folds"]]
    (folder / "splits_final.json").write_text(json.dumps(folds), encoding="utf-8")
    environment = os.environ | {
        "nnUNet_raw": str(theirs / "raw"),
        "nnUNet_preprocessed": str(theirs / "preprocessed"),
        "nnUNet_results": str(theirs / "results"),
        "nnUNet_n_proc_DA": "0",
        "PARITY_LOSSES": str(theirs / "losses.json"),
    }
    command = [sys.executable, str(_THEIRS), _DATASET, "3d_fullres", "0", "-device", "cpu"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    losses: list[float] = json.loads((theirs / "losses.json").read_text(encoding="utf-8"))
    return losses


def measure(root: Path) -> dict[str, Any]:
    """Both trainings in that folder, and how far their losses are apart."""
    make_dataset(root)
    ours, theirs = our_losses(root), their_losses(root)
    apart = [abs(one - other) for one, other in zip(ours, theirs, strict=True)]
    return {
        "steps": len(apart),
        "patch": list(PATCH),
        "first_loss": ours[0],
        "last_loss": ours[-1],
        "largest_difference": max(apart),
        "differences": apart,
        "promise": PROMISE,
        "kept": max(apart) <= PROMISE,
    }


def main() -> None:
    """Measure and record."""
    with tempfile.TemporaryDirectory() as folder:
        record("training_parity", measure(Path(folder)))


if __name__ == "__main__":
    main()
