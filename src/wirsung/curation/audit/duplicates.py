"""Scans that are in a dataset twice, or in another dataset too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wirsung.anatomy.standard import rule
from wirsung.curation.findings import Findings
from wirsung.datasets.fingerprint import Fingerprint, fingerprint, rps_sha256
from wirsung.datasets.layout import Case
from wirsung.datasets.near_duplicates import NEAR, Profiles, find_near
from wirsung.imaging.orientation import reorient


@dataclass(frozen=True)
class Scan:
    """One scan by what it is known again by."""

    case: str
    file: str
    """The image's."""
    sha256: str | None
    fingerprint: Fingerprint | None
    dataset: str = ""
    """Empty for the dataset that is audited."""
    subset: str = "train"

    @property
    def name(self) -> str:
        """For a sentence, and unique."""
        return f"{self.case} of {self.dataset}" if self.dataset else self.case


@dataclass(frozen=True)
class Identification:
    """A case of another dataset, to be known again."""

    case: Case
    dataset: str


def identify(task: Identification) -> Scan:
    """Read a case of another dataset, for its marks only.

    Raises:
        ImageError: Its image is missing or damaged.
    """
    case, is_ct = task.case, task.case.modality == "ct"
    image = reorient(case.image(), "RPS")
    return Scan(
        case.id,
        case.image_path.name,
        rps_sha256(image, is_ct=is_ct),
        fingerprint(image, is_ct=is_ct),
        task.dataset,
        case.subset,
    )


def find_duplicates(scans: Sequence[Scan]) -> dict[str, Findings]:
    """By case of the audited dataset, the scans that are the same as its own."""
    by_name = {scan.name: scan for scan in scans}
    found: dict[str, Findings] = {}
    exact = _same(scans)
    for name, same in exact.items():
        _tell(found, by_name[name], [by_name[other] for other in same], "duplicate", None)
    marks = {name: scan.fingerprint for name, scan in by_name.items() if scan.fingerprint is not None}
    for name, near in _near(marks, exact).items():
        if not by_name[name].dataset:
            others = [by_name[other] for other in near]
            _tell(found, by_name[name], others, "near_duplicate", min(near.values()))
    return found


def _same(scans: Sequence[Scan]) -> dict[str, list[str]]:
    groups: dict[str, list[Scan]] = {}
    for scan in scans:
        if scan.sha256:
            groups.setdefault(scan.sha256, []).append(scan)
    return {
        scan.name: [other.name for other in group if other is not scan]
        for group in groups.values()
        for scan in group
        if len(group) > 1 and not scan.dataset
    }


def _near(marks: Mapping[str, Fingerprint], exact: Mapping[str, list[str]]) -> dict[str, dict[str, float]]:
    """By name, the others that are nearly but not exactly the same, and how unlike they are."""
    threshold = rule("near_duplicate").threshold or NEAR
    names = list(marks)
    found: dict[str, dict[str, float]] = {}
    for pair in find_near(Profiles.of(list(marks.values())), threshold=threshold):
        one, other = names[pair.one], names[pair.other]
        if other in exact.get(one, ()) or one in exact.get(other, ()):
            continue
        found.setdefault(one, {})[other] = pair.unlikeness
        found.setdefault(other, {})[one] = pair.unlikeness
    return found


def _tell(
    found: dict[str, Findings], scan: Scan, others: Sequence[Scan], rule_id: str, value: float | None
) -> None:
    same = (
        "the same voxels as"
        if rule_id == "duplicate"
        else "the same scan, resampled, cropped or saved anew, as"
    )
    first = others[0].name + (f" and {len(others) - 1} more" if len(others) > 1 else "")
    sides = {other.subset for other in others if not other.dataset} | {scan.subset}
    across = " They are on both sides of the split." if len(sides) > 1 else ""
    sentence = f"it is {same} {first}.{across} Keep one of them."
    if rule_id == "duplicate":
        sentence = f"it has {same} {first}.{across} Keep one of them."
    found.setdefault(scan.case, Findings(scan.case)).add(rule_id, scan.file, sentence, value=value)
