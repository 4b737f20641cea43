from wirsung.datasets.known_overlaps import known_overlaps


def test_msd_in_pants_and_in_panorama_is_known():
    found = known_overlaps({"A": "msd-pancreas", "B": "panorama", "C": "pants"})
    compared = {frozenset((item.dataset, item.other)) for item in found if item.is_compared}
    assert {frozenset("AB"), frozenset("AC")} <= compared
    sentence = next(item.sentence for item in found if {item.dataset, item.other} == {"A", "B"})
    assert "194" in sentence


def test_what_was_not_compared_is_named_by_its_source_and_comes_last():
    found = known_overlaps({"A": "msd-pancreas", "mine": "", "odd": "no-such-source"})
    assert {item.dataset for item in found} == {"A"}
    assert "pants" in {item.other for item in found}
    assert not any(item.is_compared for item in found)
    mixed = known_overlaps({"A": "msd-pancreas", "C": "pants"})
    flags = [item.is_compared for item in mixed]
    assert flags == sorted(flags, reverse=True)
