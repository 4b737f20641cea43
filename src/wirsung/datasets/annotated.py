"""What was drawn in which case: a structure that nobody drew is no background."""

from wirsung.datasets.foreign_labels import DRAWN_FILE
from wirsung.datasets.layout import Case, Dataset


def annotated_structures(dataset: Dataset) -> dict[str, frozenset[str]]:
    """By case, the structures and foreign classes that were drawn; empty for a case without labels.

    What `dataset.toml` calls annotated was drawn in each labelled case, so there a missing mask is an empty
    one. A case with a list of its own (`drawn.json`), and a dataset that calls nothing annotated, has just
    what it has masks of.

    Raises:
        ManifestError: The list of a case is damaged.
    """
    told = frozenset(dataset.description.annotated)
    return {case.id: _drawn(case, told) for case in dataset.cases}


def _drawn(case: Case, told: frozenset[str]) -> frozenset[str]:
    held = frozenset(case.structure_names())
    if not held or (case.label_folder / DRAWN_FILE).is_file():
        return held
    return told | held
