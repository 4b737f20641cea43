"""Each kind has chance of its own."""

from wirsung.phantom.randomised.chance import KINDS, chance


def test_no_two_kinds_cases_or_seeds_share_their_chance():
    drawn = [
        float(chance(seed, number, kind).random())
        for seed in range(3)
        for number in range(1, 4)
        for kind in KINDS
    ]
    assert len(set(drawn)) == len(drawn) == 45


def test_the_same_seed_case_and_kind_draw_the_same():
    assert chance(3, 7, "noise").integers(10**9) == chance(3, 7, "noise").integers(10**9)
