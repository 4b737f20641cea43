"""DiNTS with the published codes."""

import torch

from wirsung.models.networks.dints import Dints, published_topology

# Path 0 to 9 goes from one resolution to another.
FROM = (0, 1, 0, 1, 2, 1, 2, 3, 2, 3)
TO = (0, 0, 1, 1, 1, 2, 2, 2, 3, 3)


def test_the_codes_are_those_that_the_authors_published():
    paths, operations, nodes = published_topology()
    assert (len(paths), len(operations), len(nodes)) == (12, 12, 13)
    assert paths[0] == [1, 0, 1, 1, 1, 1, 1, 0, 1, 0]
    assert operations[0] == [1, 3, 1, 3, 2, 1, 2, 0, 1, 1]
    assert paths[11] == [1, 1, 0, 0, 0, 0, 0, 1, 1, 1]
    assert operations[11] == [4, 4, 0, 0, 1, 4, 3, 0, 2, 1]
    assert sum(map(sum, paths)) == 97
    assert {value for row in operations for value in row} == {0, 1, 2, 3, 4}


def test_the_nodes_follow_from_the_paths():
    paths, _, nodes = published_topology()
    # A node is active where a path leaves it; the last ones where a path arrives.
    for block, row in enumerate(paths):
        leaving = {FROM[index] for index, active in enumerate(row) if active}
        assert leaving == {level for level in range(4) if nodes[block][level]}
    arriving = {TO[index] for index, active in enumerate(paths[-1]) if active}
    assert arriving == {level for level in range(4) if nodes[-1][level]}


def test_leaving_out_the_unused_stem_changes_no_logit():
    torch.manual_seed(0)
    ours = Dints(1, 2, width=0.125).eval()
    whole = Dints(1, 2, width=0.125).eval()
    from monai.networks.nets.dints import DiNTS

    # MONAI's own constructor makes the stem again, with weights.
    again = DiNTS(whole.dints_space, 1, 2, node_a=whole.node_a).eval()
    missing = again.load_state_dict(ours.state_dict(), strict=False)
    assert all(name.startswith("stem_down.3.") for name in missing.missing_keys)
    assert not missing.unexpected_keys
    image = torch.randn(1, 1, 32, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(again(image), ours(image))
