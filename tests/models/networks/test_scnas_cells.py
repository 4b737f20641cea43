"""The operations of the search space, and the graph that a cell is."""

import pytest
import torch
from torch import nn

from wirsung.models.networks.scnas_cells import Cell, CellNetwork, Place, Stages, edge_name, operation
from wirsung.models.networks.scnas_genotype import EXPANSION, NORMAL, REDUCTION

torch.set_num_threads(1)


def _place(**changed):
    return Place(**{"kind": "encoder", "number": 0, "node": 0, "source": 0, "width": 3} | changed)


@pytest.mark.parametrize("stride", [(2, 2, 2), (1, 2, 2)])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3)])
def test_every_operation_gives_the_size_it_should(stride, kernel):
    features = torch.randn(2, 3, 4, 8, 6)
    whole = tuple(features.shape[2:])
    cases = [(NORMAL, (1, 1, 1), whole)]
    cases.append((REDUCTION, stride, tuple(size // by for size, by in zip(whole, stride, strict=True))))
    cases.append((EXPANSION, stride, tuple(size * by for size, by in zip(whole, stride, strict=True))))
    for names, by, expected in cases:
        for name in names[1:]:
            made = operation(name, _place(stride=by, kernel=kernel))
            assert tuple(made(features).shape) == (2, 3, *expected), name


@pytest.mark.parametrize(
    ("name", "reach"),
    [("identity", 0), ("conv", 1), ("dilated-conv", 2), ("planar-conv", 1), ("separable-conv", 1)],
)
def test_an_operation_reaches_as_far_as_it_says(name, reach):
    torch.manual_seed(0)
    made = operation(name, _place(stride=(1, 1, 1), kernel=(3, 3, 3))).double()
    if isinstance(made, nn.Sequential):
        made = nn.Sequential(*(item for item in made if isinstance(item, nn.Conv3d)))
    image = torch.zeros(1, 3, 9, 9, 9, dtype=torch.double)
    image[:, :, 4, 4, 4] = 1
    lit = made(image).abs().sum(1)[0] > 0
    assert int(lit.any(-1).any(-1).nonzero().max()) == 4 + reach
    assert lit.sum() == {0: 1, 1: 27, 2: 27}[reach]


def test_a_strided_convolution_looks_at_every_slice_even_with_a_kernel_of_one_across_them():
    torch.manual_seed(0)
    made = operation("strided-conv", _place(stride=(2, 2, 2), kernel=(1, 3, 3))).double()
    image = torch.randn(1, 3, 4, 8, 8, dtype=torch.double)
    for number in range(4):
        changed = image.clone()
        changed[:, :, number] += torch.randn(3, 8, 8, dtype=torch.double)
        assert not torch.allclose(made(image), made(changed))


def test_a_cell_is_the_graph_that_its_plan_says():
    """Written out: n0 = conv(a) + b, n1 = dilated(a) + n0, joined; from the cell's own parts."""
    torch.manual_seed(0)
    names = [["conv", "identity"], ["dilated-conv", "none", "identity"]]
    places = [
        [Place("decoder", 0, node, source, 4, (1, 1, 1), (3, 3, 3)) for source in range(2 + node)]
        for node in range(2)
    ]
    cell = Cell([4, 6], places, lambda place: edge_name(names[place.node], place)).double()
    first, second = (torch.randn(1, width, 5, 4, 6, dtype=torch.double) for width in (4, 6))
    a, b = cell.projections[0](first), cell.projections[1](second)
    n0 = cell.edges["0_0"](a) + b
    n1 = cell.edges["1_0"](a) + n0
    torch.testing.assert_close(cell(first, second), cell.join(torch.cat([n0, n1], 1)))
    assert sorted(cell.edges) == ["0_0", "0_1", "1_0", "1_2"]


def test_a_network_of_one_stage_has_no_way_down():
    network = CellNetwork(
        1, 2, Stages((3,), ((3, 3, 3),), ((1, 1, 1),), 1), lambda place: operation("conv", place)
    )
    assert network(torch.randn(1, 1, 4, 4, 4)).shape == (1, 2, 4, 4, 4)
    assert len(network.reductions) == len(network.decoder.expansions) == 0


def test_the_skip_of_each_stage_reaches_the_decoder():
    """Without the coarser stages, what is left of the image comes by the skip alone."""
    torch.manual_seed(0)
    sizes = Stages((3, 4), ((3, 3, 3),) * 2, ((1, 1, 1), (2, 2, 2)), 1)
    resizing = {"reduction": "max-pool", "expansion": "trilinear"}
    network = CellNetwork(
        1, 2, sizes, lambda place: operation(resizing.get(place.kind, "conv"), place)
    ).eval()
    for parameter in network.decoder.expansions[0].parameters():
        nn.init.zeros_(parameter)
    one, other = torch.randn(2, 1, 1, 8, 8, 8)
    assert not torch.allclose(network(one), network(other))


def test_single_precision_is_enough_for_a_deep_stack_of_cells():
    """Rounding grows from cell to cell; with activations before and after each, it was twenty times this."""
    torch.manual_seed(0)
    sizes = Stages((8, 16, 16, 16), ((3, 3, 3),) * 4, ((1, 1, 1), *((2, 2, 2),) * 3), 2)
    resizing = {"reduction": "strided-conv", "expansion": "transposed-conv"}
    chosen = {0: lambda place: resizing.get(place.kind, "conv"), 1: lambda place: "conv"}

    def edge(place):
        series = place.source == place.node + (1 if place.kind == "decoder" else 0)
        if not series and place.node > 0:
            return None
        return operation(chosen[place.node](place), place)

    network = CellNetwork(1, 2, sizes, edge).eval()
    image = torch.randn(1, 1, 32, 32, 32)
    with torch.inference_mode():
        single = network(image)
        double = network.double()(image.double())
    assert (single - double).abs().max() < 5e-5 * double.abs().max()
