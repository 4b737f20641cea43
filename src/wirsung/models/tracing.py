"""What a step of a network allocates and computes, found by running it on tensors that have no memory.

Every operation of a forward and a backward pass is seen as torch dispatches it: what it allocates until
nobody holds it any more, how many floating-point operations it makes, and how many bytes it reads and writes.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_HALF = {
    "conv3d",
    "conv_transpose3d",
    "linear",
    "matmul",
    "__matmul__",
    "mm",
    "bmm",
    "addmm",
    "baddbmm",
    "einsum",
}
"""What CUDA's autocast computes in half precision, as far as networks for volumes call it."""
_FULL = {
    "layer_norm",
    "group_norm",
    "softmax",
    "log_softmax",
    "cross_entropy",
    "exp",
    "pow",
    "__pow__",
    "norm",
    "rsqrt",
}
"""What it computes in single precision."""


@dataclass(frozen=True)
class Work:
    """One operation."""

    flops: int
    """A multiplication and an addition are two."""
    moved: int
    """Bytes read and written."""


@dataclass(frozen=True)
class Trace:
    """One pass."""

    peak: int
    """Most bytes allocated at once, beside the weights and the image."""
    kept: int
    """Bytes held for the backward pass when the forward pass ends; 0 where there is none."""
    forward: tuple[Work, ...]
    backward: tuple[Work, ...]

    @property
    def flops(self) -> int:
        """Of the whole pass."""
        return sum(item.flops for item in (*self.forward, *self.backward))

    @property
    def forward_flops(self) -> int:
        """Of the forward pass."""
        return sum(item.flops for item in self.forward)


def trace_training(network: nn.Module, shape: Sequence[int], classes: int, *, mixed: bool) -> Trace:
    """A forward and a backward pass of nnU-Net's loss, Dice and cross-entropy, over all outputs.

    Args:
        network: Without weights, as `blueprint` makes it.
        shape: Of the batch of images, (batch, channel, z, y, x).
        classes: Background included.
        mixed: Whether under automatic mixed precision, as nnU-Net trains on a GPU.
    """
    network.train()
    image = torch.empty(tuple(shape), device="meta")
    with _watched(network, image, mixed=mixed) as watch:
        outputs = network(image)
        answers = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        del outputs
        loss = _loss(answers, classes)
        answers.clear()
        kept, forward = watch.live, tuple(watch.work)
        watch.work.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        return Trace(watch.peak, kept, forward, tuple(watch.work))


def trace_inference(network: nn.Module, shape: Sequence[int], *, mixed: bool) -> Trace:
    """A forward pass alone; the arguments are those of `trace_training`."""
    network.eval()
    image = torch.empty(tuple(shape), device="meta")
    with torch.no_grad(), _watched(network, image, mixed=mixed) as watch:
        network(image)
        return Trace(watch.peak, 0, tuple(watch.work), ())


def _loss(answers: Sequence[torch.Tensor], classes: int) -> torch.Tensor:
    total = torch.zeros((), device="meta")
    for logits in answers:
        labels = torch.empty(logits.shape[0], *logits.shape[2:], dtype=torch.long, device="meta")
        probability = torch.softmax(logits, 1)
        inside = torch.empty(logits.shape[0], classes, *logits.shape[2:], dtype=torch.bool, device="meta")
        dice = (probability * inside).sum() / probability.sum()
        total = total + functional.cross_entropy(logits, labels) - dice
    return total


@contextmanager
def _watched(network: nn.Module, image: torch.Tensor, *, mixed: bool) -> Iterator["_Watch"]:
    held = [*network.parameters(), *network.buffers(), image]
    watch = _Watch(held)
    with ExitStack() as stack:
        stack.enter_context(watch)
        precision = stack.enter_context(_MixedPrecision(mixed))
        stack.enter_context(_autocast_of(precision))
        stack.enter_context(_FusedAttention(watch))
        yield watch
    for item in network.parameters():
        item.grad = None


@contextmanager
def _autocast_of(precision: "_MixedPrecision") -> Iterator[None]:
    """A block in which networks may switch autocast off, which torch refuses for tensors without memory."""

    @contextmanager
    def switch(*_: object, enabled: bool = True, **__: object) -> Iterator[None]:
        before = precision.mixed
        precision.mixed = before and enabled
        try:
            yield
        finally:
            precision.mixed = before

    before = torch.autocast, torch.amp.autocast
    torch.autocast = torch.amp.autocast = switch  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        torch.autocast, torch.amp.autocast = before  # type: ignore[misc]


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's own
    """Counts what is allocated and computed, below autograd."""

    def __init__(self, held: Sequence[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self.work: list[Work] = []
        self._held = {_key(item): item for item in held}
        self._known: set[int] = set(self._held)

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an operator of torch
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """The operator's own result."""
        given = dict(kwargs or {})
        result = func(*args, **given)
        read = [item for item in tree_leaves((args, given)) if isinstance(item, torch.Tensor)]
        made = [item for item in tree_leaves(result) if isinstance(item, torch.Tensor)]
        fresh = [item for item in made if self._allocate(item)]
        if fresh or func._schema.is_mutable:
            count = flop_registry.get(func._overloadpacket)
            flops = int(count(*args, **given, out_val=result)) if count is not None else 0
            self.work.append(Work(flops, sum(_bytes(item) for item in (*read, *fresh))))
        return result

    def _allocate(self, tensor: torch.Tensor) -> bool:
        """Whether the tensor's memory is new; counted until it is let go."""
        if tensor.device.type != "meta" or (key := _key(tensor)) in self._known:
            return False
        storage = tensor.untyped_storage()
        self._known.add(key)
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, storage.nbytes())
        return True

    def _free(self, key: int, size: int) -> None:
        self.live -= size
        self._known.discard(key)


class _MixedPrecision(TorchFunctionMode):
    """What autocast does on a GPU, on tensors that are on none."""

    def __init__(self, mixed: bool) -> None:
        super().__init__()
        self.mixed = mixed
        self._cast: dict[int, torch.Tensor] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """The function on what autocast would give it."""
        name = getattr(func, "__name__", "") if self.mixed else ""
        given = kwargs or {}
        if name in _HALF:
            args, given = self._all(args, torch.float16), self._all(given, torch.float16)
        elif name in _FULL:
            args, given = self._all(args, torch.float32), self._all(given, torch.float32)
        return func(*args, **given)

    def _all(self, values: Any, kind: torch.dtype) -> Any:  # noqa: ANN401 - nested arguments
        if isinstance(values, torch.Tensor):
            return self._one(values, kind)
        if isinstance(values, dict):
            return {name: self._all(value, kind) for name, value in values.items()}
        if isinstance(values, list | tuple):
            return [self._all(value, kind) for value in values]
        return values

    def _one(self, tensor: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        if not tensor.is_floating_point() or tensor.dtype == kind:
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad):
            return tensor.to(kind)
        if id(tensor) not in self._cast:  # autocast casts each weight once
            self._cast[id(tensor)] = tensor.to(kind)
        return self._cast[id(tensor)]


class _FusedAttention(TorchFunctionMode):
    """Attention without its matrix, as the kernels of a GPU and a CPU compute it."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """The function, or for attention what its kernel would leave behind."""
        if getattr(func, "__name__", "") != "scaled_dot_product_attention":
            return func(*args, **(kwargs or {}))
        named = dict(zip(("query", "key", "value", "attn_mask"), args, strict=False)) | (kwargs or {})
        inputs = (named.get(name) for name in ("query", "key", "value", "attn_mask"))
        return _Attention.apply(*inputs, self._watch.work)  # type: ignore[no-untyped-call]


class _Attention(torch.autograd.Function):
    """Keeps query, key, value, the bias, the output and one number a query."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - of autograd
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None,
        work: list[Work],
    ) -> torch.Tensor:
        """The output's shape, and the two products' operations."""
        output = query.new_empty(*query.shape[:-1], value.shape[-1])
        sums = torch.empty(query.shape[:-1], dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, bias, output, sums)
        ctx.work, ctx.flops = work, 2 * query.numel() * key.shape[-2] + 2 * output.numel() * key.shape[-2]
        work.append(Work(ctx.flops, 0))
        return output

    @staticmethod
    def backward(ctx: Any, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: ANN401
        """The gradients' shapes; five products in place of two."""
        *inputs, _output, _sums = ctx.saved_tensors
        ctx.work.append(Work(ctx.flops * 5 // 2, 0))
        wanted = zip(inputs, ctx.needs_input_grad, strict=False)
        return *(torch.empty_like(item) if needed else None for item, needed in wanted), None


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
