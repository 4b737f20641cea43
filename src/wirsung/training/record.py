"""What a training depends on, as keys: the same key, nothing to do; another key, another training."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.layout import Case
from wirsung.datasets.splits import Fold
from wirsung.training.presets import preset_of
from wirsung.training.reading import state_of
from wirsung.training.settings import TrainSettings

_SINCE_LATER = {
    "patch": None,
    "batch_size": None,
    "smallest_batch": 2,
    "lesion_patches": 0.0,
    "augmentation": "cpu",
}
"""Settings that older keys do not know, each with the value that is as if it were not there."""

_PLANNING = ("finest_mm", "patch", "batch_size", "smallest_batch", "features", "memory_gb", "lesion_patches")


def planning_of(settings: TrainSettings) -> dict[str, Any]:
    """What of the settings the plans depend on, as JSON holds it, to tell what differs."""
    preset = preset_of(settings)
    said = {"network": settings.network, "scheme": scheme(settings.scheme).name}
    content: dict[str, Any] = json.loads(
        json.dumps(said | {name: getattr(preset, name) for name in _PLANNING})
    )
    return content


def plan_key(settings: TrainSettings, cases: Sequence[Case], labels: Mapping[str, int]) -> str:
    """What the plans depend on: the cases' files, the classes, the network and how the preset plans."""
    preset = preset_of(settings)
    planning: list[object] = [preset.memory_gb, preset.features, preset.finest_mm]
    planning += [settings.network, _scheme_of(settings)]
    # Left out where they are not said, so that older keys stand.
    if preset.patch is not None:
        planning.append(preset.patch)
    for name in ("batch_size", "smallest_batch", "lesion_patches"):
        if getattr(preset, name) != _SINCE_LATER[name]:
            planning.append({name: getattr(preset, name)})
    return _sha256([{case.id: state_of(case) for case in cases}, dict(labels), planning])


def fold_key(settings: TrainSettings, plans: str, fold: Fold) -> str:
    """What a fold's weights depend on: the plans, the preset, the seed and the fold's cases.

    How often checkpoints are written and pictures drawn is no part of it, nor on how many GPUs.
    """
    preset = asdict(preset_of(settings))
    for name in ("checkpoint_every", "picture_every"):
        del preset[name]
    for name, silent in _SINCE_LATER.items():
        if preset[name] == silent:
            del preset[name]
    return _sha256([plans, preset, settings.seed, fold.train, fold.validation])


def _scheme_of(settings: TrainSettings) -> object:
    """A built-in scheme by its name; an own one by what its file says, wherever the file lies."""
    if not settings.scheme.endswith(".toml"):
        return settings.scheme
    own = scheme(settings.scheme)
    return [own.name, [[item.value, item.name, list(item.structures)] for item in own.classes]]


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
