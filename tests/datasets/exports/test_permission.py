from pathlib import Path

import pyarrow as pa
import pytest

from wirsung.datasets.contents import Contents
from wirsung.datasets.description import Description
from wirsung.datasets.exports.permission import check_permission, notice
from wirsung.datasets.sources import all_sources, source_named
from wirsung.errors import ConfigError


def contents(source=None, licence=""):
    found = None if source is None else source_named(source)
    description = Description("mine", "1.0", licence=licence, source=source or "")
    return Contents("mine", Path(), description, pa.table({}), source=found)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("pants", r"CC-BY-NC-ND-4\.0\) forbids passing on changed files"),
        ("lits", r"CC-BY-NC-ND-4\.0\) forbids passing on changed files"),
        ("btcv", r"not stated\) is not known to allow passing on its files"),
    ],
)
def test_a_licence_that_forbids_it_is_named_and_own_use_is_allowed(source, said):
    with pytest.raises(ConfigError, match=rf"{said}.*--own-use"):
        check_permission(contents(source), own_use=False)
    check_permission(contents(source), own_use=True)


@pytest.mark.parametrize("source", ["msd-pancreas", "amos", "panorama"])
def test_a_licence_that_allows_it_asks_nothing(source):
    check_permission(contents(source), own_use=False)


def test_every_source_is_judged_by_its_two_booleans():
    for source in all_sources():
        is_free = bool(source.licence.redistribution and source.licence.derivatives)
        try:
            check_permission(contents(source.name), own_use=False)
        except ConfigError:
            assert not is_free, source.name
        else:
            assert is_free, source.name


@pytest.mark.parametrize("licence", ["", "CC0-1.0", "CC-BY-4.0", "CC-BY-NC-SA-4.0", "MIT"])
def test_ones_own_data_and_free_licences_pass(licence):
    check_permission(contents(licence=licence), own_use=False)


@pytest.mark.parametrize("licence", ["CC-BY-ND-4.0", "CC-BY-NC-ND-4.0", "hospital, internal"])
def test_a_licence_of_ones_own_dataset_is_heeded(licence):
    with pytest.raises(ConfigError, match="passing on"):
        check_permission(contents(licence=licence), own_use=False)


def test_the_notice_names_source_licence_and_promise():
    told = notice(contents("pants"), own_use=True)
    assert "CC-BY-NC-ND-4.0" in told
    assert "Cite: Li et al., PanTS" in told
    assert "do not pass these files on" in told
    assert "do not pass" not in notice(contents("amos"), own_use=True)
    assert "Licence: not stated." in notice(contents(), own_use=False)
