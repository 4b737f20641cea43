"""ONNX files."""

import json

import pytest
import torch
from torch import nn

from wirsung.errors import ConfigError, MissingDependencyError
from wirsung.models import onnx_graph
from wirsung.models.onnx_graph import FACTS, Facts, write_onnx

SHAPE = Facts((1, 1, 4, 4, 4), {"spacing_mm": [1.0, 1.0, 1.0]})


class _Odd(nn.Module):
    """Asks the voxels which way to go, which no graph can."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image):
        return image * self.weight if float(image.sum()) > 0 else image.flip(2)


def test_a_network_answers_in_onnxruntime_as_in_torch(tmp_path):
    import onnx

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.InstanceNorm3d(2, affine=True), nn.LeakyReLU())
    assert write_onnx(tmp_path / "a.onnx", network.eval(), SHAPE) <= 1e-4
    model = onnx.load(tmp_path / "a.onnx")
    assert json.loads({item.key: item.value for item in model.metadata_props}[FACTS]) == SHAPE.said
    assert b"site-packages" not in (tmp_path / "a.onnx").read_bytes()
    size = sum(tensor.numel() * 4 for tensor in network.state_dict().values())
    assert (tmp_path / "a.onnx").stat().st_size < size + 10_000


def test_an_operator_that_onnx_lacks_is_one_error_and_no_file(tmp_path):
    with pytest.raises(ConfigError, match="_Odd can't be written as ONNX"):
        write_onnx(tmp_path / "a.onnx", _Odd(), SHAPE)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_answers_otherwise_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "TOLERANCE", -1.0)
    monkeypatch.setattr(onnx_graph, "ROUNDING", -1.0)
    with pytest.raises(ConfigError, match="answers otherwise than torch"):
        write_onnx(tmp_path / "a.onnx", nn.Conv3d(1, 2, 1), SHAPE)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "_NEEDED", ("onnx", "not_there_at_all"))
    with pytest.raises(MissingDependencyError, match=r"needs not_there_at_all\. Install with: pip install"):
        write_onnx(tmp_path / "a.onnx", nn.Conv3d(1, 2, 1), SHAPE)


def test_a_network_beyond_what_one_file_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "_MOST_BYTES", 10)
    with pytest.raises(ConfigError, match="but an ONNX file holds 2 GiB"):
        write_onnx(tmp_path / "a.onnx", nn.Conv3d(1, 20, 1), SHAPE)
