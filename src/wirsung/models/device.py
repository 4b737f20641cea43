"""Where a network runs."""

import torch

from wirsung.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is the GPU where there is one, else the CPU.

    Raises:
        ConfigError: The name is unknown, or this machine has no such device.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if present["cuda"] else "cpu")
    kind = name.split(":")[0]
    if kind not in present:
        msg = f"There is no device named {name!r}. Known are auto, {', '.join(present)}."
        raise ConfigError(msg)
    if not present[kind]:
        msg = f"This machine has no {kind} device that torch {torch.__version__} can use. Try --device cpu."
        raise ConfigError(msg)
    return torch.device(name)
