import pytest

from wirsung.anatomy.schemes import scheme, scheme_names
from wirsung.anatomy.structures import structures
from wirsung.evaluation.views import is_annotated, views


def values_of(reference: str, prediction: str) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    found = views(scheme(reference), scheme(prediction))
    return {view.structure: (view.reference_values, view.prediction_values) for view in found}


def test_the_pancreas_is_scored_whole_and_its_parts_alone():
    found = values_of("pants-28", "pants-28")
    assert found["pancreas"] == ((17, 18, 19, 20, 21, 28),) * 2
    assert found["pancreas_head"] == ((19,), (19,))
    assert set(found) == set(structures())


def test_the_pancreas_leads():
    assert next(iter(values_of("pants-28", "pants-28"))) == "pancreas"


@pytest.mark.parametrize("prediction", ["pants-2", "demo-7", "msd-pancreas"])
def test_the_pancreas_includes_the_lesion_in_every_scheme(prediction):
    found = values_of("pants-28", prediction)
    assert set(found["pancreatic_lesion"][1]) < set(found["pancreas"][1])


def test_classes_of_several_structures_are_scored_against_the_same_class_only():
    assert values_of("panorama-6", "panorama-6")["arteries"] == ((3,), (3,))
    assert "arteries" not in values_of("pants-28", "panorama-6")


@pytest.mark.parametrize("name", scheme_names())
def test_every_value_of_a_scheme_is_scored_against_itself(name):
    found = views(scheme(name), scheme(name))
    assert {value for view in found for value in view.reference_values} == set(scheme(name).values)
    assert all(view.reference_values == view.prediction_values for view in found)
    assert len({view.structure for view in found}) == len(found)


def test_the_pancreas_is_annotated_by_its_own_mask_or_all_its_parts():
    two = scheme("pants-2")
    assert is_annotated("pancreas", two, {"pancreas"})
    assert is_annotated("pancreas", two, {"pancreas_head", "pancreas_body", "pancreas_tail"})
    assert not is_annotated("pancreas", two, {"pancreas_head", "pancreas_body"})
    assert not is_annotated("liver", two, {"pancreas"})


def test_a_class_of_several_structures_is_annotated_where_all_are():
    panorama = scheme("panorama-6")
    assert is_annotated("arteries", panorama, {"aorta", "celiac_artery", "superior_mesenteric_artery"})
    assert not is_annotated("arteries", panorama, {"aorta"})


def test_by_class_the_pancreas_stands_without_its_lesion():
    found = {
        view.structure: (view.reference_values, view.prediction_values)
        for view in views(scheme("pants-28"), scheme("msd-pancreas"), by_class=True)
    }
    assert found == {
        "pancreas": ((17, 18, 19, 20, 21), (1,)),
        "pancreatic_lesion": ((28,), (2,)),
    }


@pytest.mark.parametrize("name", scheme_names())
def test_by_class_every_value_is_scored_once(name):
    found = views(scheme(name), scheme(name), by_class=True)
    assert sorted(view.reference_values for view in found) == [(value,) for value in scheme(name).values]
