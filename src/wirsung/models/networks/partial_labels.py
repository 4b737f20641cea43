"""The loss where a case shows only some of the classes: what nobody annotated teaches nothing.

Classes are answered apart, each by a sigmoid, because "not annotated" is not "background": a dataset that
has only the pancreas says nothing of where there is no liver.
"""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from wirsung.errors import LabelError

_SMOOTH = 1e-5


def partial_label_loss(logits: Tensor, targets: Tensor, annotated: Tensor) -> Tensor:
    """Binary cross-entropy and soft Dice loss, 0 or more: the mean over annotated pairs of case and class.

    Where no pair is annotated it is 0, with gradients of 0.

    Args:
        logits: (B, classes, D, H, W), before the sigmoid.
        targets: The same shape, 0 or 1; whatever it holds where nothing is annotated.
        annotated: (B, classes), true where the case's dataset annotates the class.

    Raises:
        LabelError: The shapes don't belong together.

    Source:
        Liu et al., CLIP-Driven Universal Model, ICCV 2023 (arXiv 2301.00785): BCE and Dice, masked by class.
        That every pair counts alike is ours.

    Example:
        >>> import torch
        >>> half, right = torch.zeros(1, 1, 1, 1, 2), torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
        >>> round(partial_label_loss(half, right, torch.tensor([[True]])).item(), 4)  # ln 2 + 1 - 1 / 2
        1.1931
    """
    if logits.shape != targets.shape or annotated.shape != logits.shape[:2]:
        msg = (
            f"The loss got logits {tuple(logits.shape)}, targets {tuple(targets.shape)} and annotated "
            f"{tuple(annotated.shape)}. The first two must agree, and the third be their first two axes."
        )
        raise LabelError(msg)
    known = annotated.bool()
    if not known.any():
        return logits.sum() * 0.0
    chosen = logits[known].flatten(1)
    true = targets[known].flatten(1).to(chosen.dtype)
    entropy = binary_cross_entropy_with_logits(chosen, true, reduction="none").mean(1)
    likely = chosen.sigmoid()
    overlap = (likely * true).sum(1)
    dice = (2 * overlap + _SMOOTH) / (likely.sum(1) + true.sum(1) + _SMOOTH)
    return (entropy + 1 - dice).mean()
