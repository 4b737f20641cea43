"""The datasets of an experiment: phantoms curated, or real folders imported or linked, then split."""

from collections.abc import Mapping
from pathlib import Path

from wirsung.compute.cases import Outcome
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.datasets.catalog import CatalogSettings, catalog
from wirsung.datasets.importing.run import import_source
from wirsung.datasets.importing.settings import ImportSettings
from wirsung.datasets.layout import is_dataset
from wirsung.datasets.splits import SPLIT_FILE, SplitSettings, split
from wirsung.errors import ConfigError, ManifestError
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings
from wirsung.training.experiments.definition import DataSource, Experiment
from wirsung.training.experiments.typed import settings_of


def make_data(experiment: Experiment, folder: Path, paths: Mapping[str, Path], workers: int) -> None:
    """Make every dataset of the experiment as `folder/<name>`, split; what is there already is kept.

    Args:
        experiment: Names the data.
        folder: Where they are made.
        paths: Name to the folder of real data.
        workers: Processes.

    Raises:
        ConfigError: A folder is missing, is named for data that have none, or is no dataset.
        ManifestError: A case could not be made or read.
    """
    check_paths(experiment, paths)
    for name, source in experiment.data.items():
        root = folder / name
        if source.phantom is not None:
            _make_phantoms(source, folder / f"{name}-raw", root, workers)
        else:
            _bring(name, source, paths[name], root, workers)
            _all_well(catalog(CatalogSettings(root, workers=workers)), "catalog")
        if source.split:
            settings = settings_of(SplitSettings, source.split, f"data.{name}.split", given={"dataset": root})
            split(settings)


def check_paths(experiment: Experiment, paths: Mapping[str, Path]) -> None:
    """Pass where --data names a folder for all real data, and for nothing else.

    Raises:
        ConfigError: A folder is missing, too much, or not there.
    """
    real = [name for name, source in experiment.data.items() if source.phantom is None]
    for name, path in paths.items():
        if name not in real:
            known = f"It takes {', '.join(real)}." if real else "At this size it takes none."
            msg = f"--data {name}={path}: the experiment has no such data. {known}"
            raise ConfigError(msg)
        if not path.is_dir():
            msg = f"--data {name}={path}: there is no such folder. Name the dataset, or the unpacked source."
            raise ConfigError(msg)
    for name in real:
        if name not in paths:
            source = experiment.data[name].source
            what = f"the unpacked {source}, or a dataset of it" if source else "a dataset"
            msg = (
                f"{experiment.name}: data.{name} is missing: {what}. Name its folder with --data {name}=PATH"
            )
            raise ConfigError(msg)


def _make_phantoms(source: DataSource, raw: Path, root: Path, workers: int) -> None:
    given = {"out": raw, "workers": workers}
    settings = settings_of(PhantomSettings, source.phantom or {}, "phantom", given=given)
    _all_well(phantom(settings), "phantom")
    _all_well(curate(CurateSettings(raw, root, name="phantoms", workers=workers)), "curate")


def _bring(name: str, source: DataSource, path: Path, root: Path, workers: int) -> None:
    if not is_dataset(path) or (source.source in ("pants", "pants-mini") and not _is_ours(path)):
        if source.source is None:
            msg = f"--data {name}={path} is no dataset. Make one with wirsung curate or wirsung import."
            raise ConfigError(msg)
        done = import_source(ImportSettings(source.source, path, root, workers=workers))
        _all_well(getattr(done, "outcomes", done), "import")
        return
    _link(path.resolve(), root)


def _is_ours(path: Path) -> bool:
    return (path / "dataset.toml").is_file()


def _link(path: Path, root: Path) -> None:
    """The dataset once more by links, so that its own folder is only read and keeps its own split."""
    root.mkdir(parents=True, exist_ok=True)
    for item in path.iterdir():
        place = root / item.name
        if item.name == SPLIT_FILE or item.name.startswith("."):
            continue
        if place.is_symlink() and place.readlink() != item:
            place.unlink()
        if not place.exists():
            place.symlink_to(item)


def _all_well(outcomes: object, stage: str) -> None:
    found = [item for item in outcomes if isinstance(item, Outcome)] if isinstance(outcomes, list) else []
    failed = [item for item in found if item.status == "failed"]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        msg = f"{stage}, case {failed[0].case}: {failed[0].message}{more}"
        raise ManifestError(msg)
