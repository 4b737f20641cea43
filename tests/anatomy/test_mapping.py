import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.anatomy.mapping import map_scheme
from wirsung.anatomy.schemes import scheme, scheme_names
from wirsung.anatomy.structures import containers
from wirsung.errors import LabelError


def possible(source, target):
    try:
        return map_scheme(scheme(source), scheme(target))
    except LabelError:
        return None


MAPPINGS = [
    mapping
    for source in scheme_names()
    for target in scheme_names()
    if (mapping := possible(source, target)) is not None
]


def test_most_pairs_of_schemes_can_be_mapped():
    assert len(MAPPINGS) > len(scheme_names()) ** 2 / 2


@given(st.data())
def test_every_voxel_stays_inside_the_structures_that_held_it(data):
    mapping = data.draw(st.sampled_from(MAPPINGS))
    values = [0, *mapping.source.values]
    labels = data.draw(arrays(np.uint8, (2, 3, 4), elements=st.sampled_from(values)))
    mapped = mapping.apply(labels)
    assert mapped.shape == labels.shape
    classes = {item.value: item for item in mapping.source.classes}
    targets = {item.value: item for item in mapping.target.classes}
    for before, after in zip(labels.ravel(), mapped.ravel(), strict=True):
        if after == 0:
            assert before == 0 or classes[before].name in mapping.dropped
            continue
        inside = {outer for name in classes[before].structures for outer in containers(name)}
        assert inside & set(targets[after].structures)


@given(st.data())
def test_a_structure_that_both_schemes_tell_keeps_exactly_its_voxels(data):
    mapping = data.draw(st.sampled_from(MAPPINGS))
    labels = data.draw(arrays(np.uint8, (3, 3, 3), elements=st.sampled_from([0, *mapping.source.values])))
    mapped = mapping.apply(labels)
    for name in mapping.target.structure_names():
        held = mapping.source.values_within(name)
        if held and not mapping.dropped:
            before = np.isin(labels, held)
            after = np.isin(mapped, mapping.target.values_within(name))
            np.testing.assert_array_equal(before, after)


@given(st.sampled_from([mapping for mapping in MAPPINGS if not mapping.is_lossy]), st.data())
def test_a_mapping_that_loses_nothing_has_a_way_back(mapping, data):
    labels = data.draw(arrays(np.uint8, (2, 2, 2), elements=st.sampled_from([0, *mapping.source.values])))
    np.testing.assert_array_equal(mapping.inverted().apply(mapping.apply(labels)), labels)


@pytest.mark.parametrize(
    "mapping", [m for m in MAPPINGS if m.is_lossy], ids=lambda m: f"{m.source.name}-{m.target.name}"
)
def test_a_lossy_mapping_has_no_way_back(mapping):
    with pytest.raises(LabelError, match="There is no way back"):
        mapping.inverted()


def test_a_class_is_never_taken_apart():
    with pytest.raises(LabelError) as refusal:
        map_scheme(scheme("panorama-6"), scheme("pants-28"))
    assert "its class arteries would be split (aorta to aorta, celiac_artery to celiac_artery," in str(
        refusal.value
    )
    assert "superior_mesenteric_artery to superior_mesenteric_artery)" in str(refusal.value)


def test_a_value_that_the_source_lacks_is_refused():
    mapping = map_scheme(scheme("pants-2"), scheme("pancreas"))
    for labels in (np.array([0, 1, 9]), np.array([-1, 0, 1])):
        with pytest.raises(LabelError, match=r"holds \[(9|-1)\], which pants-2 does not have"):
            mapping.apply(labels)


def test_what_is_lost_is_told():
    mapping = map_scheme(scheme("pants-28"), scheme("pants-2"))
    assert "liver" in mapping.dropped
    assert mapping.merged == {
        "pancreas": ("pancreas", "pancreas_body", "pancreas_head", "pancreas_tail", "pancreatic_duct")
    }
    assert (
        map_scheme(scheme("pants-2"), scheme("pants-2")).describe() == "pants-2 to pants-2: nothing is lost."
    )


def test_classes_that_nothing_can_fill_are_absent_and_not_background():
    mapping = map_scheme(scheme("pants-2"), scheme("pants-28"))
    assert "liver" in mapping.absent
    assert "pancreas" not in mapping.absent
    assert not mapping.is_lossy


def test_an_empty_label_map_stays_empty():
    assert map_scheme(scheme("pants-28"), scheme("pants-2")).apply(np.zeros((2, 2, 2), np.uint8)).sum() == 0
