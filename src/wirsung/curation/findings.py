"""A finding: one rule that one file of a case breaks."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one file."""

    case: str
    file: str
    """Relative to the case's folder, or the dataset's table."""
    code: str
    """What kind of thing, one word for programs."""
    severity: Literal["error", "warning"]
    """An error makes the case fail; a warning deserves a look."""
    message: str


class Findings(list[Finding]):
    """The findings of one case, as they are made."""

    def __init__(self, case: str) -> None:
        super().__init__()
        self.case = case

    def error(self, file: str, code: str, message: str) -> None:
        """Add an error."""
        self.append(Finding(self.case, file, code, "error", message))

    def warn(self, file: str, code: str, message: str) -> None:
        """Add a warning."""
        self.append(Finding(self.case, file, code, "warning", message))
