import re

import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.sources import Licence, all_sources, source_named, source_names

SOURCES = all_sources()
KNOWN_LICENCES = re.compile(r"CC-BY(-NC)?(-SA|-ND)?-[34]\.0|academic research only|RSNA, non-commercial|")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
class TestEverySource:
    def test_says_where_it_is_from(self, source):
        assert source.title
        assert source.homepage.startswith("http")
        assert source.citation
        assert source.facts_source
        assert source.downloads or source.access or source.advice

    def test_has_a_licence_whose_name_and_permissions_agree(self, source):
        licence = source.licence
        assert KNOWN_LICENCES.fullmatch(licence.name)
        assert licence.name == "" or licence.source
        if "-NC" in licence.name:
            assert licence.commercial is False
        if "-ND" in licence.name:
            assert licence.derivatives is False
        if licence.name.startswith("CC-"):
            assert licence.redistribution is True

    def test_tells_structures_or_its_own_classes(self, source):
        assert source.annotated
        assert len(set(source.annotated)) == len(source.annotated)
        if source.scheme is None:
            assert set(source.mask_names) <= set(source.annotated_masks)
        else:
            assert source.annotated == source.scheme.mask_names()

    def test_is_in_order_with_the_other_sources(self, source):
        for overlap in source.overlaps:
            assert overlap.other in source_names()
            assert overlap.other != source.name
            assert overlap.source
        for erratum in source.errata:
            assert erratum.source

    def test_says_from_where_a_checksum_is(self, source):
        for item in source.downloads:
            assert item.source or not (item.sha256 or item.md5 or item.bytes)


def test_the_licence_says_what_it_knows():
    told = Licence("", None, False, True).describe()
    assert told == "licence unknown: redistribution unknown, derivatives no, commercial use yes"


def test_no_class_of_two_structures_is_claimed_for_one():
    for name in ("kits", "abdomenct-1k", "ct-org", "word"):
        found = scheme(name)
        joined = [item for item in found.classes if len(item.structures) > 1]
        assert joined
        for item in joined:
            assert item.name in found.mask_names()
            assert not set(item.structures) & set(found.mask_names())


def test_each_scheme_of_a_source_gives_back_every_value_by_a_mask():
    for source in SOURCES:
        found = source.scheme
        if found is not None:
            told = {value for name in found.mask_names() for value in found.mask_values(name)}
            assert told == set(found.values)


def test_the_known_overlaps_of_the_decathlon_are_there():
    for name in ("pants", "panorama"):
        assert "msd-pancreas" in {item.other for item in source_named(name).overlaps}
    (item,) = [item for item in source_named("panorama").overlaps if item.other == "msd-pancreas"]
    assert item.scans == 194


def test_ids_and_patients_come_from_the_sources_own_ids():
    assert source_named("pansegdata-t1").case_id("NYU_0001") == "t1_NYU_0001"
    assert source_named("pansegdata-t1").centre("NYU_0001") == "NYU"
    assert source_named("panorama").patient("100002_00001") == "100002"
    assert source_named("word").patient("word_0001") is None


def test_pants_has_all_28_structures():
    assert set(source_named("pants").annotated) == set(structures())
    assert source_named("pants-mini").annotated == source_named("pants").annotated
    assert source_named("pants").doi_url == ""
    assert source_named("word").doi_url == "https://doi.org/10.1016/j.media.2022.102642"
