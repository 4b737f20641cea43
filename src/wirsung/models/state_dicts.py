"""Which network a bare state dict is of, and of which size: told by the names and shapes of its weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wirsung.errors import CheckpointError
from wirsung.models.networks import entry
from wirsung.models.weights import State, is_state, unique

_PLACES = ("ema_model_state_dict", "model_state_dict", "state_dict", "net", "network_weights", "model")
"""Under which trainers keep the weights; the running mean first, as it is what they evaluate."""
_WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")
_BACKBONE = "backbone."
_MEDFORMER_HEADS = (1, 4, 8, 10, 8, 4, 1, 1)
"""In every released configuration; the weights do not show them."""


@dataclass(frozen=True)
class Recognised:
    """Weights of a known network."""

    network: str
    """As the catalog calls it."""
    arguments: Mapping[str, Any]
    """Of its class."""
    channels: int
    classes: int | None
    """None where there is no output layer of the network's own."""
    state: State
    fresh: tuple[str, ...] = ()
    """How the names of weights begin that are not there and that the network makes afresh."""
    notes: tuple[str, ...] = ()
    """Whole sentences."""


def unwrapped(content: object, source: str) -> tuple[State, str]:
    """The tensors in what `torch.save` wrote, and the key that they lay under; empty where there was none.

    Raises:
        CheckpointError: There are no tensors where trainers put them.

    Example:
        >>> import torch
        >>> state, place = unwrapped({"epoch": 3, "net": {"module.a": torch.ones(1)}}, "x.pth")
        >>> list(state), place
        (['module.a'], 'net')
    """
    if isinstance(content, Mapping):
        for place in _PLACES:
            if content.get(place) and is_state(content[place]):
                return dict(content[place]), place
        if content and is_state(content):
            return dict(content), ""
    msg = f"{source} holds no weights: neither tensors nor one of {', '.join(_PLACES)}. Choose another file."
    raise CheckpointError(msg)


def recognise(state: State, place: str, *, network: str | None, source: str) -> Recognised:
    """The weights with their network and its size.

    Args:
        state: The tensors.
        place: The key that they lay under.
        network: As the catalog calls it; None tells it by the names of the weights.
        source: The file, for messages.

    Raises:
        CheckpointError: The names are of no network that can be told.
        ConfigError: There is no network of that name.
    """
    plain, left = _own_names(state)
    name = _told_by_names(plain, source) if network is None else entry(network).name
    if name not in _READERS:
        msg = f"Bare weights of {name} can't be read; those of {' and '.join(_READERS)} can. Bring its plans."
        raise CheckpointError(msg)
    try:
        found = _READERS[name](plain)
    except (KeyError, IndexError, ValueError) as error:
        msg = f"{source}: the weights are not those of {name}: {error} is missing. Name another --network."
        raise CheckpointError(msg) from error
    notes = [f"The weights lay under {place}."] if place else []
    if left:
        notes.append(f"Left out: {', '.join(left)}, which are no part of {name}.")
    return replace(found, notes=(*notes, *found.notes))


def _own_names(state: State) -> tuple[State, tuple[str, ...]]:
    """The weights without what wrappers put before their names, and the parts beside a backbone."""
    plain = dict(state)
    for _ in range(len(_WRAPPERS)):
        for prefix in _WRAPPERS:
            if all(name.startswith(prefix) for name in plain):
                plain = {name.removeprefix(prefix): value for name, value in plain.items()}
    if not any(name.startswith(_BACKBONE) for name in plain):
        return unique(plain), ()
    left = sorted({name.split(".")[0] for name in plain if not name.startswith(_BACKBONE)})
    own = {name.removeprefix(_BACKBONE): value for name, value in plain.items() if name.startswith(_BACKBONE)}
    return unique(own), tuple(left)


def _told_by_names(state: State, source: str) -> str:
    starts = {name.split(".")[0] for name in state}
    if {"inc", "map_fusion", "outc"} <= starts:
        return "medformer"
    if "swinViT" in starts:
        return "swin-unetr"
    if "down_tr64" in starts:
        msg = (
            f"{source} is of the U-Net of Models Genesis (as SuPreM's unet), which is not in the catalog. "
            "SuPreM's Swin UNETR can be imported."
        )
        raise CheckpointError(msg)
    some = ", ".join(sorted(starts)[:4])
    msg = f"{source}: no network is known by weights named {some} and so on. Name the --network they are of."
    raise CheckpointError(msg)


def _medformer(state: State) -> Recognised:
    """Sizes off the shapes; heads and activation as in every released configuration."""
    stages = [f"down{i}" for i in range(1, 5)] + [f"up{i}" for i in range(1, 5)]
    attending = [_count(state, f"{stage}.trans_blocks.blocks") for stage in stages]
    tokens = state["down2.map_gen.semantic_proj.weight"].shape[0]
    edge = round(tokens ** (1 / 3))
    if edge**3 != tokens:
        msg = f"a map of as many tokens along each axis ({tokens} in all)"
        raise ValueError(msg)
    width = state["map_fusion.in_proj.0.weight"].shape[0]
    last = f"up2.trans_blocks.blocks.{attending[5] - 1}.attn.map_out."
    unused = ("up3.map_reduction.", "up4.map_reduction.", last)
    kept = {name: value for name, value in state.items() if not name.startswith(unused)}
    kernels = ["inc.conv1.weight"]
    kernels += [f"down{i}.patch_merging.reduction.depthwise.weight" for i in range(1, 5)]
    arguments = {
        "strides": [[1, 1, 1], *[_step(state, f"down{i}") for i in range(1, 5)]],
        "kernel_sizes": [list(state[name].shape[2:]) for name in kernels],
        "stem_channels": state["inc.conv1.weight"].shape[0],
        "channels": [_width(state, stage) for stage in stages],
        "conv_blocks": [_count(state, f"{stage}.conv_blocks") for stage in stages],
        "transformer_blocks": attending,
        "heads": list(_MEDFORMER_HEADS),
        "map_size": [edge] * 3,
        "fusion": [width, _count(state, "map_fusion.fusion.layers"), max(1, width // 32)],
        "auxiliary": _auxiliary(state),
    }
    return Recognised(
        network="medformer",
        arguments=arguments,
        channels=state["inc.conv1.weight"].shape[1],
        classes=state["outc.weight"].shape[0],
        state=kept,
        notes=("Heads and activation are the released ones, as weights do not show them.",),
    )


def _auxiliary(state: State) -> str:
    if "half_out.weight" in state:
        return "every"
    return "released" if "aux_out.weight" in state else "none"


def _step(state: State, stage: str) -> list[int]:
    """2 along each axis, or where fewer neighbours are merged, along the last ones, as nnU-Net plans it."""
    merged = state[f"{stage}.patch_merging.reduction.depthwise.weight"].shape[0]
    before = {"down1": "inc.conv1", "down2": "down1", "down3": "down2", "down4": "down3"}[stage]
    width = state["inc.conv1.weight"].shape[0] if stage == "down1" else _width(state, before)
    halved = {1: 0, 2: 1, 4: 2, 8: 3}[merged // width]
    return [1] * (3 - halved) + [2] * halved


def _width(state: State, stage: str) -> int:
    """The channels that a stage answers with."""
    if stage.startswith("down"):
        return int(state[f"{stage}.patch_merging.reduction.pointwise.weight"].shape[0])
    count = _count(state, f"{stage}.conv_blocks")
    if count:
        return int(state[f"{stage}.conv_blocks.{count - 1}.conv2.conv.weight"].shape[0])
    return int(state[f"{stage}.map_reduction.weight"].shape[0])


def _swin_unetr(state: State) -> Recognised:
    """MONAI's names; older versions and SuPreM have the same."""
    projection = state["swinViT.patch_embed.proj.weight"]
    output = state.get("out.conv.conv.weight")
    notes = () if output is not None else ("There is no output layer; the network gets a fresh one.",)
    return Recognised(
        network="swin-unetr",
        arguments={
            "feature_size": int(projection.shape[0]),
            "use_v2": any(name.startswith("swinViT.layers1c.") for name in state),
        },
        channels=int(projection.shape[1]),
        classes=None if output is None else int(output.shape[0]),
        state=state,
        fresh=() if output is not None else ("out.",),
        notes=notes,
    )


def _count(state: State, name: str) -> int:
    """How many numbered parts there are below a name."""
    place = name.count(".") + 1
    return len({key.split(".")[place] for key in state if key.startswith(f"{name}.")})


_READERS: dict[str, Callable[[State], Recognised]] = {"medformer": _medformer, "swin-unetr": _swin_unetr}
