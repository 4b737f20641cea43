import pytest

from wirsung.datasets.sources import read_source, source_named
from wirsung.errors import ConfigError

PLAIN = """
schema = 1
name = "ours"
title = "Ours"
label_scheme = "pancreas"
[licence]
name = "CC-BY-4.0"
redistribution = true
commercial = "unknown"
[[downloads]]
url = "https://example.org/a.zip"
file = "a.zip"
bytes = 12
[[layouts]]
name = "flat"
[[layouts.parts]]
image = "{case}.nii.gz"
label = "labels/{case}.nii.gz"
"""


def read(*changes):
    text = PLAIN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return read_source(text, "ours.toml")


def test_a_source_is_read_whole():
    found = read()
    assert (found.name, found.label_scheme, found.modalities) == ("ours", "pancreas", ("ct",))
    assert (found.licence.redistribution, found.licence.derivatives, found.licence.commercial) == (
        True,
        None,
        None,
    )
    (item,) = found.downloads
    assert (item.url, item.file, item.bytes, item.sha256) == ("https://example.org/a.zip", "a.zip", 12, "")
    (part,) = found.layouts[0].parts
    assert (part.subset, part.modality) == ("train", "ct")
    assert found.annotated == ("pancreas",)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ([("schema = 1", "schema = 2")], "has not schema = 1"),
        ([('title = "Ours"', "")], "the file lacks 'title'"),
        ([('title = "Ours"', "titel = 3")], r"unknown key 'titel'\. Did you mean title"),
        ([('title = "Ours"', "title = 3")], "title must be str, but is 3"),
        ([('name = "CC', 'nam = "CC')], r"licence has an unknown key 'nam'\. Did you mean name"),
        ([("redistribution = true", 'redistribution = "yes"')], 'must be true, false or "unknown"'),
        ([("bytes = 12", 'bytes = "12"')], "bytes must be int"),
        ([("bytes = 12", "bytes = true")], "bytes must be int"),
        ([("[[downloads]]", "[downloads]")], "downloads must be an array of tables"),
        ([("[licence]", "[[licence]]")], "licence must be a table"),
        ([("[[layouts.parts]]", "[[layouts.part]]")], "a layout has no parts"),
        ([('image = "{case}.nii.gz"', "")], "a part has either image or series"),
        (
            [('label_scheme = "pancreas"', 'label_scheme = "pancreas"\nlabel_grid = "none"')],
            "label_grid is 'none'",
        ),
        ([("schema = 1", "schema = ")], "is not TOML"),
    ],
)
def test_what_is_no_source_is_refused_with_the_reason(changes, match):
    with pytest.raises(ConfigError, match=match):
        read(*changes)


def test_an_unknown_source_lists_the_near_ones():
    with pytest.raises(ConfigError, match=r"no source named 'pant'\. Did you mean pants"):
        source_named("pant")
    with pytest.raises(ConfigError, match="no source named"):
        source_named("absent.toml")


def test_a_scheme_beside_the_file_is_found(tmp_path):
    (tmp_path / "own.toml").write_text(PLAIN.replace('"pancreas"', '"values.toml"'))
    (tmp_path / "values.toml").write_text('name = "v"\nclasses = [{ value = 9, name = "spleen" }]')
    assert source_named(tmp_path / "own.toml").annotated == ("spleen",)
