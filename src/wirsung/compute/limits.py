"""What a case and a worker may take."""

import sys
from dataclasses import dataclass, fields

from wirsung.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """What a case and a worker may take; None is no limit.

    Raises:
        ConfigError: A limit is not positive, or can't be held on this system.
    """

    timeout_s: float | None = None
    """Seconds for one case; a worker that takes longer is killed."""
    memory_gb: float | None = None
    """Memory of one worker in GB (10^9 bytes), looked at four times a second; above it, it is killed."""
    recycle_after: int | None = None
    """Cases after which a worker is replaced, against libraries that leak."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not value > 0:
                msg = f"{field.name} is {value}, which lets no case run. Give a positive number or none."
                raise ConfigError(msg)
        if self.memory_gb and sys.platform != "linux":
            msg = f"memory_gb can only be held on Linux, and this is {sys.platform}. Leave it out."
            raise ConfigError(msg)

    @property
    def needs_processes(self) -> bool:
        """Whether cases must run in processes of their own to be held to it."""
        return self.timeout_s is not None or self.memory_gb is not None


UNLIMITED = Limits()
