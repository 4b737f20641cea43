"""Splits across modalities and centres: learn from one, test on another; or leave out each centre in turn."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from wirsung.datasets.layout import MODALITIES
from wirsung.datasets.manifest import ManifestRow
from wirsung.errors import ConfigError, ManifestError, near_names

_FEW = 3


def of_modalities(
    rows: Sequence[ManifestRow],
    test_centres: Collection[str],
    learnt: Sequence[str],
    tested: Sequence[str],
) -> tuple[tuple[ManifestRow, ...], tuple[str, ...]]:
    """The rows whose modality is asked for on their side, and the cases that are then on no side.

    Where no test case is there yet, every patient with a scan of a tested modality is a test patient, with
    all scans: nobody may be learnt from with one and tested with another. Nothing asked for, nothing changed.

    Args:
        rows: With the test cases in the subset test.
        test_centres: Whose cases are test cases too.
        learnt: Modalities to learn from; none for all.
        tested: Modalities to test on; none for all.

    Raises:
        ConfigError: A modality is unknown or has no case, or nobody is left on a side.

    Example:
        >>> rows = [ManifestRow("a", "p", modality="t1"), ManifestRow("b", "p", modality="t2")]
        >>> rows += [ManifestRow("c", "q", modality="t1"), ManifestRow("d", "r", modality="ct")]
        >>> kept, left_out = of_modalities(rows, (), ["t1"], ["t2"])
        >>> [(row.case, row.subset) for row in kept], left_out
        ([('b', 'test'), ('c', 'train')], ('a', 'd'))
    """
    if not learnt and not tested:
        return tuple(rows), ()
    for modality in (*learnt, *tested):
        _check_known(modality, rows)
    if tested and not any(_is_test(row, test_centres) for row in rows):
        patients = {row.patient for row in rows if row.modality in tested}
        rows = [replace(row, subset="test") if row.patient in patients else row for row in rows]
    wanted = {True: set(tested or MODALITIES), False: set(learnt or MODALITIES)}
    kept = tuple(row for row in rows if row.modality in wanted[_is_test(row, test_centres)])
    sides = {_is_test(row, test_centres) for row in kept}
    if False not in sides:
        which = f"a scan of {' or '.join(learnt)}" if learnt else "a scan"
        msg = (
            f"No patient with {which} is left to learn from: all of them are test patients. Hold out a part "
            "of the patients only, such as --test-fraction 0.2."
        )
        raise ConfigError(msg)
    if tested and True not in sides:
        msg = f"No test patient has a scan of {' or '.join(tested)}. Choose another --test-modality."
        raise ConfigError(msg)
    return kept, tuple(sorted({row.case for row in rows} - {row.case for row in kept}))


def by_centre(rows: Sequence[ManifestRow]) -> tuple[tuple[str, ...], dict[str, int]]:
    """The centres, sorted, and by patient the place of theirs among them.

    Raises:
        ManifestError: A case has no centre, or a patient several.
        ConfigError: There is one centre only.

    Example:
        >>> by_centre([ManifestRow("a", "p", centre="y"), ManifestRow("b", "q", centre="x")])
        (('x', 'y'), {'p': 1, 'q': 0})
    """
    unknown = sorted(row.case for row in rows if row.centre is None)
    if unknown:
        more = f" and {len(unknown) - _FEW} more" if len(unknown) > _FEW else ""
        msg = (
            f"The centre of {', '.join(unknown[:_FEW])}{more} is not known, so no fold can leave it out. Add "
            "it to metadata.csv and curate again, or take the cases out of the dataset."
        )
        raise ManifestError(msg)
    centres = tuple(sorted({str(row.centre) for row in rows}))
    if len(centres) == 1:
        msg = (
            f"All cases are of one centre, {centres[0]}, which can't be left out. Choose a number of --folds."
        )
        raise ConfigError(msg)
    place: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.case):
        own = centres.index(str(row.centre))
        if place.setdefault(row.patient, own) != own:
            both = f"{centres[place[row.patient]]} and {row.centre}"
            msg = (
                f"Patient {row.patient} has scans of the centres {both}, so neither can be left out without "
                "the other. Mend the manifest, or take the scans of one out of the dataset."
            )
            raise ManifestError(msg)
    return centres, place


def _is_test(row: ManifestRow, test_centres: Collection[str]) -> bool:
    return row.subset == "test" or row.centre in test_centres


def _check_known(modality: str, rows: Sequence[ManifestRow]) -> None:
    known = [name for name in MODALITIES if any(row.modality == name for row in rows)]
    if modality not in known:
        msg = f"No case is of modality {modality!r}. {near_names(modality, known)}"
        raise ConfigError(msg)
