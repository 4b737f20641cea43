"""The CLIP-driven Universal Model: a U-Net or Swin UNETR whose head is told by text which class it draws.

Image (B, C, D, H, W) to the backbone's deepest features and its maps at full resolution and coarser;
`TextHead` makes logits (B, classes, D, H, W) of these and of a vector a class. The paper takes a sigmoid of
each and learns by `partial_labels.partial_label_loss`. Reimplemented from a description; the authors' code
(CC BY-NC-ND) was not read for this.

Under nnU-Net's recipe the classes are those of the plan. With regions in `dataset.json` nnU-Net itself takes
a sigmoid a class, as the paper does, and there is no class for background. With plain labels it takes a
softmax over them, background being a class with a vector like any other. What differs from the paper else:
the U-Net is nnU-Net's, and the coarser maps have logits too, for deep supervision, by the same class weights.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, cast

import torch
from dynamic_network_architectures.building_blocks.plain_conv_encoder import PlainConvEncoder
from dynamic_network_architectures.building_blocks.unet_decoder import UNetDecoder
from torch import Tensor, nn

from wirsung.errors import ConfigError, MissingDependencyError
from wirsung.models.networks.class_embeddings import CLIP_WIDTH, orthonormal_codes
from wirsung.models.networks.text_head import TextHead
from wirsung.models.networks.topology import topology_of
from wirsung.models.plans import Configuration

_CONVOLUTIONS = 2
"""A stage of the U-Net."""


class Backbone(Protocol):
    """What finds features for the head."""

    deepest: int
    """Channels of the deepest features."""
    maps: list[int]
    """Channels of the maps, full resolution first."""

    def __call__(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The deepest features, and the maps."""


class UniversalModel(nn.Module):
    """The Universal Model with a U-Net of nnU-Net's plan, or with Swin UNETR.

    Args:
        input_channels: Of the image.
        num_classes: With regions one each; else background included.
        deep_supervision: Whether it answers at every map, full resolution first.
        backbone: unet, or swin-unetr, which needs the extra zoo and patches of multiples of 32.
        features_per_stage: Of the U-Net.
        kernel_sizes: Of the U-Net.
        strides: Of the U-Net; for Swin UNETR [1, 1, 1] and then 2 at each of its steps.
        feature_size: Of Swin UNETR.
        class_codes: A vector a class in the plan's order, as `ClassEmbeddings.codes` gives them; none: a
            fixed orthonormal table. They are saved with the weights.
        classes_at_once: How many classes the head computes together.

    Raises:
        ConfigError: The codes are not one a class.
        MissingDependencyError: Swin UNETR without MONAI.

    Source:
        Liu et al., CLIP-Driven Universal Model for Organ Segmentation and Tumor Detection, ICCV 2023
        (arXiv 2301.00785).
    """

    def __init__(  # noqa: PLR0913 - each is a key of the plans
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        backbone: Literal["unet", "swin-unetr"] = "unet",
        features_per_stage: Sequence[int] = (32, 64, 128, 256, 320, 320),
        kernel_sizes: Sequence[Sequence[int]] = ((3, 3, 3),) * 6,
        strides: Sequence[Sequence[int]] = ((1, 1, 1), *((2, 2, 2),) * 5),
        feature_size: int = 48,
        class_codes: Sequence[Sequence[float]] | None = None,
        classes_at_once: int = 4,
    ) -> None:
        super().__init__()
        found: nn.Module = (
            _Unet(input_channels, features_per_stage, kernel_sizes, strides)
            if backbone == "unet"
            else _SwinUnetr(input_channels, feature_size)
        )
        self.backbone = found
        sized = cast("Backbone", found)
        self.decoder = TextHead(_codes(class_codes, num_classes), sized.deepest, sized.maps, classes_at_once)
        self.decoder.deep_supervision = deep_supervision

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Logits of the image's size, or with deep supervision a list that begins with them."""
        deepest, maps = self.backbone(image)
        answer: Tensor | list[Tensor] = self.decoder(deepest, maps)
        return answer

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """Fresh weights: He's for convolutions of more than one voxel; the head keeps torch's own."""
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d) and max(module.kernel_size) > 1:
            nn.init.kaiming_normal_(module.weight, a=1e-2)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments of `UniversalModel` for nnU-Net's plan: its U-Net, and the fixed table of classes.

    Raises:
        ConfigError: The strides don't divide the patch.
    """
    topology = topology_of(configuration)
    return {
        "backbone": "unet",
        "features_per_stage": list(topology.features),
        "kernel_sizes": [list(item) for item in topology.kernels],
        "strides": [list(item) for item in topology.strides],
        "class_codes": None,
    }


class _Unet(nn.Module):
    """nnU-Net's plain U-Net without its logits."""

    def __init__(
        self,
        input_channels: int,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
    ) -> None:
        super().__init__()
        self.encoder = PlainConvEncoder(
            input_channels=input_channels,
            n_stages=len(features),
            features_per_stage=list(features),
            conv_op=nn.Conv3d,
            kernel_sizes=[list(item) for item in kernels],
            strides=[list(item) for item in strides],
            n_conv_per_stage=_CONVOLUTIONS,
            conv_bias=True,
            norm_op=nn.InstanceNorm3d,
            norm_op_kwargs={"eps": 1e-5, "affine": True},
            nonlin=nn.LeakyReLU,
            nonlin_kwargs={"inplace": True},
            return_skips=True,
        )
        decoder = UNetDecoder(self.encoder, 1, _CONVOLUTIONS, deep_supervision=True)
        # nnU-Net's decoder keeps the encoder as a part, so that its weights would be there twice.
        self.ups, self.stages = decoder.transpconvs, decoder.stages
        self.deepest = int(features[-1])
        self.maps = [int(value) for value in features[:-1]]

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The deepest features, and the maps of the stages, full resolution first."""
        skips = self.encoder(image)
        features = skips[-1]
        maps: list[Tensor] = []
        for up, stage, skip in zip(self.ups, self.stages, skips[-2::-1], strict=True):
            features = stage(torch.cat([up(features), skip], dim=1))
            maps.insert(0, features)
        return skips[-1], maps


class _SwinUnetr(nn.Module):
    """MONAI's Swin UNETR without its logits."""

    def __init__(self, input_channels: int, feature_size: int) -> None:
        super().__init__()
        try:
            from monai.networks.nets.swin_unetr import SwinUNETR
        except ImportError as error:
            msg = "The backbone swin-unetr needs monai. Install it with: pip install 'wirsung[zoo]'"
            raise MissingDependencyError(msg) from error
        made: Any = SwinUNETR(input_channels, 1, feature_size=feature_size)
        made.out = nn.Identity()
        self.network: Any = made
        self.deepest = 16 * feature_size
        self.maps = [feature_size, feature_size, 2 * feature_size, 4 * feature_size, 8 * feature_size]

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The deepest features, and the maps of the decoder, full resolution first."""
        parts = self.network
        hidden = parts.swinViT(image, parts.normalize)
        skips = [parts.encoder1(image), parts.encoder2(hidden[0]), parts.encoder3(hidden[1])]
        skips += [parts.encoder4(hidden[2]), hidden[3]]
        features = deepest = parts.encoder10(hidden[4])
        steps = [parts.decoder1, parts.decoder2, parts.decoder3, parts.decoder4, parts.decoder5]
        maps: list[Tensor] = []
        for step, skip in zip(reversed(steps), reversed(skips), strict=True):
            features = step(features, skip)
            maps.insert(0, features)
        return deepest, maps


def _codes(given: Sequence[Sequence[float]] | None, classes: int) -> Tensor:
    """The buffer of the head: the given vectors, or the fixed table."""
    if given is None:
        return torch.tensor(orthonormal_codes(classes, CLIP_WIDTH))
    if len(given) != classes or len({len(row) for row in given}) != 1:
        msg = (
            f"The Universal Model needs vectors of one width for {classes} classes, but got {len(given)}. "
            "Take class_codes from ClassEmbeddings.codes with the plan's classes, background included."
        )
        raise ConfigError(msg)
    return torch.tensor([list(row) for row in given], dtype=torch.float32)
