"""Protocols: which metrics, at which tolerance, with which test. `protocols/` holds the built-in ones.

A protocol has a version, and a checksum over all that decides a number. Both stand in every result, so that
two tables can be told to follow the same rules; title and explanations may change without a new checksum.
"""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from wirsung.errors import ConfigError, near_names
from wirsung.evaluation.case_score import MAX, voxels_of
from wirsung.evaluation.lesion_matching import MIN_IOU
from wirsung.evaluation.operating_points import DEFAULT, parse_point

METRICS = {
    "dsc": "1",
    "iou": "1",
    "sensitivity": "1",
    "specificity": "1",
    "precision": "1",
    "kappa": "1",
    "nsd": "1",
    "hd": "mm",
    "hd95": "mm",
    "assd": "mm",
    "masd": "mm",
    "volume_ml": "ml",
    "reference_volume_ml": "ml",
    "volume_difference_ml": "ml",
    "volume_difference": "1",
}
"""Each metric's unit; 1 for a fraction. `nsd` stands for one metric a tolerance, such as `nsd_2mm`."""

SURFACE = frozenset({"nsd", "hd", "hd95", "assd", "masd"})
"""The metrics that need distances."""

_KEYS = (
    "schema",
    "name",
    "version",
    "title",
    "by_class",
    "conventions",
    "tolerances_mm",
    "test",
    "boundary",
    "metrics",
    "headline",
    "detection_first",
    "case_score",
    "lesion_iou",
    "operating_points",
)


_EXPLAINING = ("title", "conventions")
_CONVENTION_KEYS = ("what", "paper", "evaluator", "left_open", "chosen")


@dataclass(frozen=True)
class Convention:
    """One choice of a protocol beside its sources; it explains, and decides no number."""

    what: str
    paper: str = ""
    """What the paper says."""
    evaluator: str = ""
    """What the evaluator in use does."""
    left_open: str = ""
    """What neither says."""
    chosen: str = ""
    """What is done here."""


@dataclass(frozen=True)
class ProtocolStamp:
    """Which protocol a result follows: two results with one checksum follow the same rules."""

    name: str
    version: int
    sha256: str
    convention: str
    """What every table says of its numbers."""


@dataclass(frozen=True)
class Protocol:
    """How predictions are scored.

    Example:
        >>> protocol("pants").metric_names[:3]
        ('dsc', 'nsd_2mm', 'hd95')
    """

    name: str
    title: str
    tolerances_mm: tuple[float, ...]
    strict: bool
    """Near is `<` the tolerance rather than `<=`."""
    metrics: tuple[str, ...]
    headline: tuple[str, ...]
    """The metrics of the report's first table, the leading one first."""
    detection_first: bool = False
    surfels: bool = False
    """The boundary is made of surface elements weighed by area, rather than of voxels."""
    version: int = 1
    by_class: bool = False
    """Each class of the scheme stands for itself, as a pancreas without its lesion; else a structure holds
    all its parts."""
    conventions: tuple[Convention, ...] = ()
    case_score: str = MAX
    """What ranks cases: max, topk:K or volume."""
    lesion_iou: float = MIN_IOU
    """The least overlap of a lesion and the candidate that finds it."""
    operating_points: tuple[str, ...] = DEFAULT
    """Where sensitivity and specificity by case are told."""

    @property
    def sha256(self) -> str:
        """Checksum over all that decides a number: the fields but title and conventions, as sorted JSON.

        Example:
            >>> len(protocol("pants").sha256), protocol("pants").sha256 == protocol("msd").sha256
            (64, False)
        """
        deciding = {key: value for key, value in asdict(self).items() if key not in _EXPLAINING}
        content = json.dumps(deciding, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def stamp(self) -> ProtocolStamp:
        """What stands in every result."""
        return ProtocolStamp(self.name, self.version, self.sha256, self.convention)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics as scores.parquet names them, one NSD a tolerance."""
        return self._named(self.metrics)

    @property
    def headline_names(self) -> tuple[str, ...]:
        """The headline as scores.parquet names it."""
        return self._named(self.headline)

    @property
    def test(self) -> str:
        """`<` or `<=`."""
        return "<" if self.strict else "<="

    @property
    def boundary(self) -> str:
        """`voxel` or `surfel`."""
        return "surfel" if self.surfels else "voxel"

    @property
    def convention(self) -> str:
        """What every table of surface metrics says of its numbers; empty where there are none.

        Example:
            >>> protocol("pants").convention
            'Boundary: voxel; near is < 2 mm.'
        """
        if not self.needs_surfaces:
            return ""
        taus = " and ".join(f"{tau:g} mm" for tau in self.tolerances_mm) if "nsd" in self.metrics else ""
        return (
            f"Boundary: {self.boundary}; near is {self.test} {taus}."
            if taus
            else f"Boundary: {self.boundary}."
        )

    @property
    def needs_surfaces(self) -> bool:
        """Whether any metric needs distances."""
        return bool(SURFACE.intersection(self.metrics))

    def _named(self, metrics: tuple[str, ...]) -> tuple[str, ...]:
        names: list[str] = []
        for metric in metrics:
            names += [nsd_name(tau) for tau in self.tolerances_mm] if metric == "nsd" else [metric]
        return tuple(names)


def nsd_name(tolerance_mm: float) -> str:
    """The NSD's name at that tolerance.

    Example:
        >>> nsd_name(2.0), nsd_name(1.25)
        ('nsd_2mm', 'nsd_1.25mm')
    """
    return f"nsd_{tolerance_mm:g}mm"


def unit_of(metric_name: str) -> str:
    """The unit of a metric as scores.parquet names it; 1 for a fraction."""
    return METRICS.get("nsd" if metric_name.startswith("nsd_") else metric_name, "1")


def protocol(name_or_path: str | Path) -> Protocol:
    """A built-in protocol by name, or one from a TOML file.

    Raises:
        ConfigError: No such protocol, or a file that is not one.
    """
    text = str(name_or_path)
    folder = files("wirsung.evaluation").joinpath("protocols")
    if text in protocol_names():
        return _parse(folder.joinpath(f"{text}.toml").read_text(encoding="utf-8"), f"{text}.toml")
    path = Path(text)
    if path.suffix == ".toml" and path.is_file():
        return _parse(path.read_text(encoding="utf-8"), path.name)
    near = near_names(text, protocol_names())
    msg = f"There is no protocol named {text!r}. {near} A path that ends in .toml names your own."
    raise ConfigError(msg)


def protocol_names() -> tuple[str, ...]:
    """The built-in protocols, sorted."""
    folder = files("wirsung.evaluation").joinpath("protocols")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir()))


def _parse(text: str, file_name: str) -> Protocol:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{file_name} is not TOML: {error}."
        raise ConfigError(msg) from error
    _check_keys(table, _KEYS, file_name)
    for row in table.get("conventions", ()):
        _check_keys(row, _CONVENTION_KEYS, file_name)
    try:
        made = _made(table)
    except (KeyError, TypeError, ValueError) as error:
        msg = (
            f"{file_name}: {error} is missing or wrong. A protocol has schema = 1, name, metrics and, for "
            "nsd, tolerances_mm and test."
        )
        raise ConfigError(msg) from error
    _check(made, file_name)
    return made


def _made(table: dict[str, Any]) -> Protocol:
    if table["schema"] != 1:
        raise ValueError("schema")  # noqa: EM101 - becomes part of the sentence above
    test = table.get("test", "<")
    if test not in {"<", "<="}:
        raise ValueError("test")  # noqa: EM101
    boundary = table.get("boundary", "voxel")
    if boundary not in {"voxel", "surfel"}:
        raise ValueError("boundary")  # noqa: EM101
    metrics = tuple(map(str, table["metrics"]))
    return Protocol(
        name=str(table["name"]),
        title=str(table.get("title", table["name"])),
        tolerances_mm=tuple(map(float, table.get("tolerances_mm", ()))),
        strict=test == "<",
        metrics=metrics,
        headline=tuple(map(str, table.get("headline", metrics[:3]))),
        detection_first=bool(table.get("detection_first", False)),
        surfels=boundary == "surfel",
        version=int(table.get("version", 1)),
        by_class=bool(table.get("by_class", False)),
        conventions=tuple(Convention(**row) for row in table.get("conventions", ())),
        case_score=str(table.get("case_score", MAX)),
        lesion_iou=float(table.get("lesion_iou", MIN_IOU)),
        operating_points=tuple(map(str, table.get("operating_points", DEFAULT))),
    )


def _check_keys(table: dict[str, Any], known: tuple[str, ...], file_name: str) -> None:
    for key in table:
        if key not in known:
            msg = f"{file_name} has the key {key!r}, which no protocol has. {near_names(key, known)}"
            raise ConfigError(msg)


def _check(made: Protocol, file_name: str) -> None:
    for metric in (*made.metrics, *made.headline):
        if metric not in METRICS:
            msg = f"{file_name}: there is no metric named {metric!r}. {near_names(metric, METRICS)}"
            raise ConfigError(msg)
    lost = set(made.headline).difference(made.metrics)
    if lost or not made.metrics:
        msg = f"{file_name}: the headline needs {', '.join(sorted(lost)) or 'metrics'}; add it to metrics."
        raise ConfigError(msg)
    positive = [tau for tau in made.tolerances_mm if 0 < tau < float("inf")]
    if len(positive) < len(made.tolerances_mm) or ("nsd" in made.metrics and not positive):
        msg = f"{file_name}: nsd needs tolerances_mm above 0, but they are {list(made.tolerances_mm)}."
        raise ConfigError(msg)
    _check_detection(made, file_name)


def _check_detection(made: Protocol, file_name: str) -> None:
    try:
        voxels_of(made.case_score)
        for name in made.operating_points:
            parse_point(name)
    except ConfigError as error:
        msg = f"{file_name}: {error}"
        raise ConfigError(msg) from error
    if not 0 < made.lesion_iou <= 1:
        msg = f"{file_name}: lesion_iou is {made.lesion_iou:g}. It is an overlap above 0 and at most 1."
        raise ConfigError(msg)
