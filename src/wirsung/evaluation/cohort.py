"""Who was scanned: which cases are one patient's, and which belong to which subgroup."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wirsung.datasets.layout import is_dataset
from wirsung.errors import ConfigError
from wirsung.evaluation.case_table import patients_of, read_case_table
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.subgroups import Subgrouping, subgrouping


@dataclass(frozen=True)
class Cohort:
    """What the statistics know of the cases beside their scores."""

    patients: Mapping[str, str] = field(default_factory=dict)
    """Case to patient; a case without one is its own patient."""
    groupings: tuple[Subgrouping, ...] = ()


def open_cohort(settings: EvaluateSettings, patients: Mapping[str, str], cases: Iterable[str]) -> Cohort:
    """The patients and subgroups of an evaluation.

    Args:
        settings: Of the evaluation; the table is its metadata, else the reference dataset's manifest.
        patients: As the reference knows them; the metadata's column `patient` goes before it.
        cases: Those that are scored; a case without a row in the table is unknown in every column.

    Raises:
        ConfigError: Subgroups without a table, or a column that can't make any.
        ManifestError: The table is missing or damaged.
    """
    source = settings.metadata or (settings.reference if is_dataset(settings.reference) else None)
    if settings.subgroups and source is None:
        msg = (
            f"{settings.reference} has no manifest, so there are no subgroups by "
            f"{', '.join(settings.subgroups)}. Name a table with a column case: --metadata FILE.csv."
        )
        raise ConfigError(msg)
    if source is None or not (settings.metadata or settings.subgroups):
        return Cohort(patients)
    table = read_case_table(source)
    rows = {case: table.get(case, {}) for case in cases}
    groupings = tuple(subgrouping(spec, rows) for spec in settings.subgroups)
    return Cohort({**patients, **patients_of(table)} if settings.metadata else patients, groupings)
