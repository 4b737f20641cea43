"""The command line of an experiment, as its page tells it."""

import shlex

from wirsung.training.experiments.settings import ExperimentSettings


def command_of(settings: ExperimentSettings) -> str:
    """The command line, without folders of data, which may name people.

    Example:
        >>> from pathlib import Path
        >>> command_of(ExperimentSettings(Path("configs/scaling.toml"), Path("/home/me/out"), size="full"))
        'wirsung experiment configs/scaling.toml OUT --size full'
    """
    words = ["wirsung", "experiment", f"{settings.experiment.parent.name}/{settings.experiment.name}", "OUT"]
    words += ["--size", settings.size]
    if settings.seeds is not None:
        words += ["--seeds", str(settings.seeds)]
    for name in settings.paths():
        words += ["--data", f"{name}=PATH"]
    return shlex.join(words)
