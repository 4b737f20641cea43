import subprocess
import sys

import torch
from torch import nn

from wirsung.models.networks.blueprint import blueprint, count_parameters


def test_a_blueprint_has_the_shapes_and_no_memory():
    drawn = blueprint(lambda: nn.Sequential(nn.Conv3d(2, 3, 5), nn.InstanceNorm3d(3, affine=True)))
    assert all(item.is_meta for item in drawn.parameters())
    assert count_parameters(drawn) == 3 * 2 * 5**3 + 3 + 3 + 3
    assert drawn(torch.empty(1, 2, 9, 9, 9, device="meta")).shape == (1, 3, 5, 5, 5)


def test_frozen_weights_are_not_counted():
    layer = nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 6


def test_a_network_may_read_a_ramp_while_it_is_built():
    rates = []

    def build():
        rates.extend(float(value) for value in torch.linspace(0, 1, 3))
        return nn.Linear(1, 1)

    blueprint(build)
    assert rates == [0.0, 0.5, 1.0]


def test_no_weights_are_drawn_nor_is_the_compiler_imported_for_it():
    script = (
        "import sys\n"
        "from torch import nn\n"
        "from wirsung.models.networks.blueprint import blueprint\n"
        "def build():\n"
        "    layer = nn.Conv3d(2, 3, 3)\n"
        "    nn.init.kaiming_normal_(layer.weight)\n"
        "    nn.init.trunc_normal_(layer.weight)\n"
        "    return layer\n"
        "assert blueprint(build).weight.is_meta\n"
        "print('torch._dynamo' in sys.modules)\n"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert made.stdout == "False\n"
