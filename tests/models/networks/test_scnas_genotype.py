"""Genotypes as data: what one may say, and how a wrong one is refused."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.errors import ConfigError
from wirsung.models.networks.scnas_genotype import (
    KINDS,
    NONE,
    default_genotype,
    input_count,
    operations,
    parse_genotype,
)

GOOD = {
    "encoder": [[["conv"], [NONE, "identity"]]],
    "reduction": [[["max-pool"], [NONE, "conv"]]],
    "decoder": [[["conv", "identity"], [NONE, NONE, "planar-conv"]]],
    "expansion": [[["trilinear"], [NONE, "separable-conv"]]],
}


@st.composite
def plans(draw, kind):
    """A valid cell: node 0 uses every input, every later node what it likes."""
    inputs = input_count(kind)
    first = [draw(st.sampled_from(operations(kind, source)[1:])) for source in range(inputs)]
    second = [draw(st.sampled_from(operations(kind, source))) for source in range(inputs)]
    return [first, [*second, draw(st.sampled_from(operations(kind, inputs)[1:]))]]


@given(content=st.fixed_dictionaries({kind: st.lists(plans(kind), min_size=1, max_size=3) for kind in KINDS}))
@settings(max_examples=25)
def test_a_genotype_survives_json(content):
    found = parse_genotype(content)
    assert parse_genotype(json.loads(json.dumps(found.to_json()))) == found
    assert {kind: found.to_json()[kind] for kind in KINDS} == content


def test_a_deeper_network_repeats_the_last_cell():
    found = parse_genotype({**GOOD, "encoder": [[["conv"]], [["identity"]]]})
    assert [found.cell("encoder", number) for number in range(4)] == [
        (("conv",),),
        (("identity",),),
        (("identity",),),
        (("identity",),),
    ]


def test_resizing_edges_leave_the_inputs_only():
    assert operations("reduction", 0) == (
        NONE,
        "max-pool",
        "mean-pool",
        "strided-conv",
        "strided-dilated-conv",
    )
    assert operations("reduction", 1) == operations("encoder", 0) == operations("decoder", 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"encoder": [[["conv3"]]]}, r"encoder cell 0 has an edge 'conv3'. Did you mean conv\?"),
        ({"reduction": [[["conv"]]]}, "reduction cell 0 has an edge 'conv'"),
        ({"encoder": [[["conv", "conv"]]]}, "Node 0 of the genotype's encoder cell 0 has 2 edges, not 1"),
        ({"encoder": [[[NONE]]]}, "Node 0 of the genotype's encoder cell 0 has no input"),
        ({"decoder": [[["conv", NONE]]]}, "decoder cell 0 uses nothing of input 1"),
        ({"expansion": 3}, "This is no genotype"),
    ],
)
def test_a_wrong_genotype_is_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        parse_genotype({**GOOD, **changed})


def test_an_incomplete_genotype_is_refused():
    with pytest.raises(ConfigError, match=r"'decoder'.*needs lists of cells named encoder, reduction"):
        parse_genotype({"encoder": GOOD["encoder"], "reduction": GOOD["reduction"]})
    with pytest.raises(ConfigError, match="no reduction cell"):
        parse_genotype({**GOOD, "reduction": []}).cell("reduction", 0)


def test_the_default_genotype_is_of_the_search_space_and_not_called_the_papers():
    found = default_genotype()
    assert all(getattr(found, kind) for kind in KINDS)
    assert "paper" not in json.dumps(found.to_json())
