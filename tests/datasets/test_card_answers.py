from wirsung.datasets.card_answers import counted, known_answers
from wirsung.datasets.contents import contents_of


def test_what_can_be_counted_is_counted(small_dataset):
    found = known_answers(contents_of(small_dataset(cases=6, clip_hu=(-1000, 1000))))
    told = {name: text for name, (text, _) in found.items()}
    assert told["general.summary"] == "small holds 6 scans of 3 patients."
    assert told["composition.relations"] == "3 patients, of whom 3 with more than one scan."
    assert told["composition.missing"] == "Of 6 scans: sex of 2 (33.3 %), age of 1 (16.7 %)."
    assert told["devices.scanners"] == "By manufacturer: Siemens 6."
    assert told["devices.settings"].startswith(
        "Phase: venous 4, arterial 2. In-plane spacing: median 2.00 mm"
    )
    assert told["demographics.recorded"].startswith("Sex: F 2, M 2, unknown 2. Age: median 53 years")
    assert told["labelling.structures"] == "3 structures: liver, pancreas, pancreatic lesion."
    assert told["preprocessing.steps"].endswith("CT values are clipped to -1000 to 1000 HU.")
    assert "pseudonyms" in told["preprocessing.deidentification"]
    assert found["preprocessing.steps"][1] == "provenance.jsonl"


def test_what_nobody_knows_is_no_answer(small_dataset):
    found = known_answers(contents_of(small_dataset(cases=2)))
    assert not {"distribution.licence", "composition.errors", "labelling.who", "uses.risks"} & set(found)


def test_the_source_tells_licence_errata_and_overlaps(release):
    found = known_answers(release)
    assert (
        "CC-BY-NC-ND-4.0: passing on allowed, passing on changed files not allowed"
        in found["distribution.licence"][0]
    )
    assert "issue 12" in found["composition.errors"][0]
    assert "values of its table were repaired" in found["composition.errors"][0]
    assert "msd-pancreas" in found["composition.external"][0]
    # The table has no patients, so none are counted.
    assert "No table says which scans are of one patient" in found["composition.relations"][0]
    assert "patients" not in found["general.summary"][0]


def test_rare_and_long_values_are_gathered():
    assert counted("aaabbc", most=1) == "a 3, 2 more with 3"
    assert counted(["x" * 200]) == f"{'x' * 59}… 1"
