"""The folders that nnU-Net works in, and what it reads from the environment, set for this process only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

DATASET_NAME = "Dataset001_Wirsung"
CONFIGURATION = "3d_fullres"


@dataclass(frozen=True)
class Workspace:
    """Where nnU-Net finds and leaves its files."""

    model: Path
    """The model folder."""

    @property
    def root(self) -> Path:
        """Everything that can be made anew."""
        return self.model / "work"

    @property
    def raw(self) -> Path:
        """nnU-Net's raw dataset; it names the images where they lie."""
        return self.root / "raw" / DATASET_NAME

    @property
    def preprocessed(self) -> Path:
        """The fingerprint, the plans and the preprocessed cases."""
        return self.root / "preprocessed" / DATASET_NAME

    @contextmanager
    def environment(self, workers: int) -> Iterator[None]:
        """nnU-Net's paths and worker count; what was set before is set again afterwards."""
        values = {
            "nnUNet_raw": str(self.raw.parent),
            "nnUNet_preprocessed": str(self.preprocessed.parent),
            "nnUNet_results": str(self.root / "results"),
            "nnUNet_n_proc_DA": str(workers),
            "nnUNet_def_n_proc": "1",
        }
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@contextmanager
def silence() -> Iterator[None]:
    """Swallow what nnU-Net prints."""
    with redirect_stdout(StringIO()):
        yield
