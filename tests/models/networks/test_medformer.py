"""MedFormer against a straight reading of the released definition, written here without its classes."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - everybody's name for it

from wirsung.errors import ConfigError
from wirsung.models.networks.medformer import MedFormer, fit
from wirsung.models.networks.topology import plan_of_patch

SMALL = {
    "stem_channels": 4,
    "channels": (8, 12, 16, 20, 16, 12, 8, 4),
    "conv_blocks": (2, 1, 0, 1, 0, 1, 2, 2),
    "transformer_blocks": (0, 1, 2, 1, 2, 2, 0, 0),
    "heads": (1, 3, 4, 5, 4, 3, 1, 1),
    "map_size": (2, 3, 2),
    "fusion": (24, 2, 6),
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


class Released:
    """The released forward pass over a state dict, by the names in it."""

    def __init__(self, state, settings):
        self.state, self.settings = state, settings

    def has(self, name):
        return any(key.startswith(name + ".") for key in self.state)

    def count(self, name):
        return len({key.split(".")[name.count(".") + 1] for key in self.state if key.startswith(name + ".")})

    def conv(self, x, name, groups=1):
        weight = self.state[f"{name}.weight"]
        padding = [size // 2 for size in weight.shape[2:]]
        return F.conv3d(x, weight, self.state.get(f"{name}.bias"), padding=padding, groups=groups)

    def norm_act_conv(self, x, name, groups=1, act=F.relu):
        return self.conv(act(F.instance_norm(x, eps=1e-4)), f"{name}.conv", groups)

    def separable(self, x, name):
        return self.conv(self.conv(x, f"{name}.depthwise", groups=x.shape[1]), f"{name}.pointwise")

    def shortcut(self, x, name):
        return self.norm_act_conv(x, f"{name}.shortcut") if self.has(f"{name}.shortcut") else x

    def basic_block(self, x, name):
        inner = self.norm_act_conv(self.norm_act_conv(x, f"{name}.conv1"), f"{name}.conv2")
        return inner + self.shortcut(x, name)

    def mbconv(self, x, name):
        inner = self.norm_act_conv(x, f"{name}.expand_proj")
        inner = self.norm_act_conv(inner, f"{name}.depthwise", groups=inner.shape[1])
        means = inner.mean(dim=(2, 3, 4), keepdim=True)
        means = F.relu(self.conv(means, f"{name}.se.excitation.0"))
        inner = inner * torch.sigmoid(self.conv(means, f"{name}.se.excitation.2"))
        return x + self.norm_act_conv(inner, f"{name}.pointwise", act=lambda value: value)

    def attention(self, x, tokens, name, heads):
        """Head by head and channel by channel: channel c of head h is channel c * heads + h."""
        voxels, places = F.instance_norm(x), F.instance_norm(tokens)
        fq, fv = self.separable(voxels, f"{name}.attn.feat_qv").flatten(2).chunk(2, 1)
        mq, mv = self.conv(places, f"{name}.attn.map_qv").flatten(2).chunk(2, 1)
        feat, found = torch.empty_like(fq), torch.empty_like(mq)
        for head in range(heads):
            q, v, k, w = (item[:, head::heads] for item in (fq, fv, mq, mv))
            scores = torch.einsum("bci,bcj->bij", q, k) / q.shape[1] ** 0.5
            feat[:, head::heads] = torch.einsum("bij,bcj->bci", scores.softmax(2), w)
            found[:, head::heads] = torch.einsum("bij,bci->bcj", scores.softmax(1), v)
        feat = self.separable(feat.reshape(*feat.shape[:2], *x.shape[2:]), f"{name}.attn.feat_out")
        found = self.conv(found.reshape(*found.shape[:2], *tokens.shape[2:]), f"{name}.attn.map_out")
        return self.mbconv(feat + self.shortcut(x, name), f"{name}.feedforward"), tokens + found

    def blocks(self, x, tokens, name, heads):
        for number in range(self.count(f"{name}.trans_blocks.blocks")):
            x, tokens = self.attention(x, tokens, f"{name}.trans_blocks.blocks.{number}", heads)
        return x, tokens

    def convs(self, x, name):
        for number in range(self.count(f"{name}.conv_blocks")):
            x = self.basic_block(x, f"{name}.conv_blocks.{number}")
        return x

    def down(self, x, name, heads):
        merged = [x[:, :, i::2, j::2, k::2] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        x = self.separable(F.instance_norm(torch.cat(merged, 1)), f"{name}.patch_merging.reduction")
        x, tokens = self.convs(x, name), None
        if self.has(f"{name}.map_gen"):
            weights = self.conv(x, f"{name}.map_gen.semantic_proj").flatten(2).softmax(2)
            tokens = torch.einsum(
                "bci,bti->bct", self.conv(x, f"{name}.map_gen.base_proj").flatten(2), weights
            )
            tokens = tokens.reshape(*tokens.shape[:2], *self.settings["map_size"])
        return self.blocks(x, tokens, name, heads)

    def up(self, x, skip, tokens, known, name, heads):
        x = F.interpolate(x, size=skip.shape[2:], mode="trilinear", align_corners=True)
        tokens = self.conv(
            tokens if known is None else torch.cat([tokens, known], 1), f"{name}.map_reduction"
        )
        x, tokens = self.blocks(torch.cat([x, skip], 1), tokens, name, heads)
        return self.convs(x, name), tokens

    def fusion(self, maps):
        width, depth, heads = self.settings["fusion"]
        x = torch.cat(
            [self.conv(item, f"map_fusion.in_proj.{i}").flatten(2) for i, item in enumerate(maps)], 2
        )
        x = x.transpose(1, 2)
        for layer in range(depth):
            name = f"map_fusion.fusion.layers.{layer}"
            weights = [
                {key: self.state[f"{name}.{i}.norm.{key}"] for key in ("weight", "bias")} for i in (0, 1)
            ]
            inner = F.layer_norm(x, (width,), **weights[0], eps=1e-4)
            parts = F.linear(inner, self.state[f"{name}.0.fn.to_qkv.weight"]).chunk(3, 2)
            q, k, v = (p.reshape(*p.shape[:2], heads, width // heads).permute(0, 2, 1, 3) for p in parts)
            inner = ((q @ k.transpose(2, 3)) / (width // heads) ** 0.5).softmax(3) @ v
            inner = inner.permute(0, 2, 1, 3).reshape(x.shape)
            x = x + self.linear(inner, f"{name}.0.fn.to_out")
            inner = self.layer_norm(x, f"{name}.1.norm")
            x = x + self.linear(F.gelu(self.linear(inner, f"{name}.1.fn.fc1")), f"{name}.1.fn.fc2")
        parts = x.transpose(1, 2).chunk(3, 2)
        shape = maps[0].shape[2:]
        return [
            self.conv(part.reshape(*part.shape[:2], *shape), f"map_fusion.out_proj.{i}")
            for i, part in enumerate(parts)
        ]

    def layer_norm(self, x, name):
        return F.layer_norm(
            x, x.shape[2:], self.state[f"{name}.weight"], self.state[f"{name}.bias"], eps=1e-4
        )

    def linear(self, x, name):
        return F.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def __call__(self, image):
        heads = self.settings["heads"]
        x0 = self.basic_block(self.conv(image, "inc.conv1"), "inc.conv2")
        x1, _ = self.down(x0, "down1", 1)
        x2, map2 = self.down(x1, "down2", heads[1])
        x3, map3 = self.down(x2, "down3", heads[2])
        x4, map4 = self.down(x3, "down4", heads[3])
        map2, map3, map4 = self.fusion([map2, map3, map4])
        x, tokens = self.up(x4, x3, map4, map3, "up1", heads[4])
        x, tokens = self.up(x, x2, tokens, map2, "up2", heads[5])
        aux = F.interpolate(self.conv(x, "aux_out"), image.shape[2:], mode="trilinear", align_corners=True)
        x, tokens = self.up(x, x1, tokens, None, "up3", 1)
        x, _ = self.up(x, x0, tokens, None, "up4", 1)
        return [self.conv(x, "outc"), aux]


def released_state(network):
    """The network's weights, and the three that the released network has besides and never uses."""
    channels, last = network.outc.in_channels, len(network.up2.trans_blocks.blocks) - 1
    quarter = network.aux_out.in_channels
    half = network.up3.conv_blocks[0].conv2.conv.in_channels
    unused = {
        f"up2.trans_blocks.blocks.{last}.attn.map_out.weight": torch.randn(quarter, quarter, 1, 1, 1),
        "up3.map_reduction.weight": torch.randn(half, quarter, 1, 1, 1),
        "up4.map_reduction.weight": torch.randn(channels, half, 1, 1, 1),
    }
    return {**network.state_dict(), **unused}


def test_the_answer_is_that_of_the_released_definition():
    network = MedFormer(2, 3, deep_supervision=True, auxiliary="released", **SMALL).eval()
    image = torch.randn(2, 2, 32, 48, 32)
    with torch.inference_mode():
        wanted = Released(released_state(network), SMALL)(image)
        found = network(image)
    assert len(found) == 2
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape == (2, 3, 32, 48, 32)
        assert float((ours - theirs).abs().max()) <= 1e-5 * float(theirs.abs().max())


def test_the_released_size_has_as_many_weights_as_the_released_network():
    """39,594,048 used ones, counted from the shapes; 26,624 that are never used come on top."""
    with torch.device("meta"):
        network = MedFormer(1, 16, auxiliary="released")
        unused = sum(item.numel() for key, item in released_state(network).items()) - sum(
            item.numel() for item in network.parameters()
        )
    assert unused == 128 * 128 + 128 * 64 + 64 * 32
    assert sum(item.numel() for item in network.parameters()) == 39_594_048


def test_answers_come_at_the_resolutions_that_nnunets_loss_weighs():
    network = MedFormer(1, 2, deep_supervision=True, **SMALL)
    sizes = [tuple(item.shape[2:]) for item in network(torch.randn(1, 1, 32, 32, 64))]
    assert sizes == [(32, 32, 64), (16, 16, 32), (8, 8, 16), (4, 4, 8)]
    network.decoder.deep_supervision = False
    assert network(torch.randn(1, 1, 32, 32, 64)).shape == (1, 2, 32, 32, 64)


def test_a_plan_with_flat_voxels_keeps_its_strides_and_kernels():
    plan = plan_of_patch((16, 64, 64), (4.0, 1.0, 1.0), features=(4, 32))
    arguments = fit(plan)
    assert arguments["strides"] == [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2]]
    assert arguments["channels"] == [8, 16, 32, 32, 32, 16, 8, 4]
    network = MedFormer(1, 2, **arguments)
    assert network(torch.randn(1, 1, 16, 64, 64)).shape == (1, 2, 16, 64, 64)


def test_the_released_sizes_come_from_nnunets_usual_features():
    assert fit(plan_of_patch((128, 128, 128))) == {
        "strides": [[1, 1, 1], *[[2, 2, 2]] * 4],
        "kernel_sizes": [[3, 3, 3]] * 5,
        "stem_channels": 32,
        "channels": [64, 128, 256, 320, 256, 128, 64, 32],
        "heads": [1, 4, 8, 10, 8, 4, 1, 1],
        "fusion": [320, 2, 10],
    }


def test_patches_that_do_not_fit_are_refused_with_one_that_does():
    with pytest.raises(ConfigError, match="A patch of 32 x 32 x 48 would do"):
        fit(plan_of_patch((32, 32, 44), features=(4, 8)))
    with pytest.raises(ConfigError, match=r"left with one voxel of this patch\. A patch of 32 x 32 x 32"):
        fit(plan_of_patch((16, 16, 16), features=(4, 8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deep_supervision": True, "auxiliary": "none"}, "has no deep supervision"),
        ({"channels": (8, 12, 16)}, "for 8 stages"),
        ({"strides": ((1, 1, 1),)}, "needs 5 strides and kernels, not 1 and 5"),
        ({"transformer_blocks": (0, 0, 1, 1, 1, 1, 0, 0)}, "attends at the second to the sixth"),
        ({"heads": (1, 5, 4, 5, 4, 3, 1, 1)}, "must divide its channels"),
    ],
)
def test_arguments_that_contradict_one_another_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        MedFormer(1, 2, **{**SMALL, **change})
