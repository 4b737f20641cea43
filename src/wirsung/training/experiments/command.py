"""The command line of an experiment, as its page tells it."""

import shlex

from wirsung.training.experiments.settings import ExperimentSettings

_SHIPPED = ("configs", "experiments")


def command_of(settings: ExperimentSettings) -> str:
    """The command line, without other folders, which may name people.

    Example:
        >>> from pathlib import Path
        >>> command_of(ExperimentSettings(Path("configs/scaling.toml"), Path("/home/me/out"), size="full"))
        'wirsung experiment scaling.toml OUT --size full'
    """
    parts = settings.experiment.parts
    file = "/".join(parts[-3:]) if parts[-3:-1] == _SHIPPED else parts[-1]
    words = ["wirsung", "experiment", file, "OUT"]
    words += ["--size", settings.size]
    if settings.seeds is not None:
        words += ["--seeds", str(settings.seeds)]
    if settings.data:
        words += ["--data", *(f"{name}=PATH" for name in settings.paths())]
    return shlex.join(words)
