import pytest

from wirsung.errors import ConfigError
from wirsung.models.networks.blueprint import blueprint, count_parameters
from wirsung.models.networks.primus import SIZES, Primus


@pytest.mark.parametrize("size", sorted(SIZES))
def test_each_size_is_that_of_the_authors_package(size):
    from dynamic_network_architectures.architectures import primus

    theirs = blueprint(
        lambda: getattr(primus, f"Primus{size}")(
            1, 2, (8, 8, 8), (64, 64, 64), drop_path_rate=0.2, init_values=0.1, scale_attn_inner=True
        )
    )
    ours = blueprint(lambda: Primus(1, 2, patch_size=(64, 64, 64), **SIZES[size]))
    assert count_parameters(ours) == count_parameters(theirs)


def test_heads_that_leave_no_room_for_three_axes_are_refused():
    with pytest.raises(ConfigError, match="4 heads in a width of 40: take a multiple of 24"):
        Primus(1, 2, patch_size=(16, 16, 16), width=40, heads=4)


def test_a_patch_between_the_tokens_is_refused():
    with pytest.raises(ConfigError, match=r"Primus can't take a patch of 20 x 16 x 16"):
        Primus(1, 2, patch_size=(20, 16, 16))
