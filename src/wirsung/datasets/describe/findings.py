"""All that is found out about one dataset, before any of it is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from wirsung.datasets.comparison import ComparedDataset, own_dataset
from wirsung.datasets.contents import Contents
from wirsung.datasets.data_card import DataCard, data_card
from wirsung.datasets.describe.coverage import Coverage, coverage, mostly_annotated
from wirsung.datasets.describe.extra import Extra
from wirsung.datasets.describe.missing import Missing, find_missing
from wirsung.datasets.describe.outliers import Outlier, find_outliers
from wirsung.datasets.tables.cohort import Cohort, cohorts_by
from wirsung.datasets.tables.published import Reproduced, held_against_published, published_table
from wirsung.datasets.tables.table_one import VARIABLES, TableOne, Variable, side_by_side

MOST_PARTS = 8
_RELEASE = "pants"
_YES_NO = {True: "tumour", False: "no tumour"}


@dataclass(frozen=True)
class Findings:
    """What is told of one dataset."""

    name: str
    """Unlike that of any other on the page."""
    contents: Contents
    cohort: Cohort
    missing: Missing
    coverage: Mapping[str, Coverage]
    outliers: tuple[Outlier, ...]
    card: DataCard
    reproduced: tuple[Reproduced, ...] = ()
    """The published Table 1 beside ours; of the whole training set of PanTS alone."""
    variables: tuple[Variable, ...] = VARIABLES
    """Of Table 1."""

    def with_extra(self, extra: Extra) -> "Findings":
        """The same with further columns in its cohort."""
        cases = self.contents.manifest["case"].to_pylist()
        return replace(self, cohort=extra.added_to(self.cohort, cases), variables=extra.variables())

    @property
    def annotated(self) -> frozenset[str]:
        """The structures that most cases were annotated for."""
        return mostly_annotated(dict(self.coverage)) or self.contents.annotated or frozenset()

    def parts(self, column: str) -> TableOne | None:
        """Table 1 of the parts of the dataset by a column of its manifest; None where there is one part.

        Of many parts the largest are told.
        """
        values = self.contents.manifest[column].to_pylist()
        levels = [_YES_NO.get(value, value) for value in values]
        found = cohorts_by(self.cohort, levels)[:MOST_PARTS]
        return side_by_side(found, self.variables) if len(found) > 1 else None

    def compared(self) -> ComparedDataset:
        """Its row in the comparison of datasets."""
        manifest = self.contents.manifest
        # An entry of a release's table may name fifteen institutions at once.
        centres = set(manifest["centre"].to_pylist()) - {None} if self.contents.has_manifest else set()
        scans = manifest["modality"].to_pylist().count("ct")
        tumours = [value for value in manifest["tumour"].to_pylist() if value is not None]
        release = self.contents.release
        told = [row.nationality or "" for row in release.rows] if release is not None else []
        countries = {code.strip() for text in told for code in text.split(";")} - {""}
        return own_dataset(
            self.name,
            scans,
            self.annotated,
            tumours=sum(tumours) if tumours else None,
            institutions=len(centres) or None,
            countries=len(countries) or None,
        )


def findings_of(contents: Contents, name: str, outlier_z: float, answers: Path | None = None) -> Findings:
    """Find everything out.

    Args:
        contents: Of the dataset.
        name: What the page calls it.
        outlier_z: Smallest robust z-score of an outlier.
        answers: The maker's own answers to the data card.

    Raises:
        ConfigError: The answers are none.
    """
    told = replace(contents.cohort(), name=name)
    return Findings(
        name,
        contents,
        told,
        find_missing(contents),
        coverage(contents),
        find_outliers(contents, outlier_z),
        replace(data_card(contents, answers), name=name),
        held_against_published(told) if is_whole_release(contents) else (),
    )


def is_whole_release(contents: Contents) -> bool:
    """Whether it is the training set of PanTS, all of it."""
    is_release = contents.source is not None and contents.source.name == _RELEASE
    return is_release and contents.cases == published_table().cases
