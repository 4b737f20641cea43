"""What lies beside a dataset, as it may hold names of source files: index, verdicts, pictures and page."""

from pathlib import Path


def report_folder(out: Path) -> Path:
    """The folder beside the dataset.

    Example:
        >>> report_folder(Path("/data/pancreas")).as_posix()
        '/data/pancreas.curation'
    """
    out = out.resolve()
    return out.with_name(f"{out.name}.curation")


def index_folder(out: Path) -> Path:
    """Where the index of the source lies."""
    return report_folder(out) / "index"


def picture_path(out: Path, case: str) -> Path:
    """Where the small picture of a case lies."""
    return report_folder(out) / "pictures" / f"{case}.png"
