import tomllib

import pytest

from wirsung.datasets.description import Description, read_description, write_description
from wirsung.errors import ManifestError


def test_what_is_written_is_read(tmp_path):
    written = Description("Pancreas 1", "2.0", "CC-BY-4.0", clip_hu=(-1000, 1000))
    write_description(tmp_path, written)
    assert read_description(tmp_path) == written
    table = tomllib.loads((tmp_path / "dataset.toml").read_text())
    assert table["schema"] == 1
    assert table["clip_hu"] == [-1000, 1000]
    assert table["created_by"].startswith("wirsung ")


def test_no_clipping_is_told_from_clipping(tmp_path):
    write_description(tmp_path, Description("x"))
    assert read_description(tmp_path).clip_hu is None


def test_without_a_file_the_folder_names_the_dataset(tmp_path):
    found = read_description(tmp_path)
    assert found.name == tmp_path.name
    assert found.created_by == ""


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("schema = ", "is not TOML"),
        ("schema = 2", "schema 2"),
        ("schema = 1", "name, scheme is missing"),
        ('schema = 1\nname = "a"\nscheme = "pants-28"\nclip_hu = [1]', "clip_hu"),
        ('schema = 1\nname = 3\nscheme = "pants-28"', "name is missing or of the wrong type"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path, content, match):
    (tmp_path / "dataset.toml").write_text(content)
    with pytest.raises(ManifestError, match=match):
        read_description(tmp_path)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(ManifestError, match="can't be named"):
        write_description(tmp_path, Description(name))


def test_what_an_imported_dataset_says_of_its_labels_is_read(tmp_path):
    written = Description(
        "x",
        source="lits",
        annotated=("liver", "liver_tumours"),
        label_scheme="lits",
        label_grid="image",
        unions={"lung_left": ("upper", "lower")},
    )
    write_description(tmp_path, written)
    assert read_description(tmp_path) == written
    style = read_description(tmp_path).label_style(tmp_path)
    assert (style.scheme_name, style.grid, dict(style.unions)) == ("lits", "image", dict(written.unions))


def test_a_scheme_beside_the_description_is_found_from_anywhere(tmp_path):
    style = Description("x", label_scheme="scheme.toml").label_style(tmp_path)
    assert style.scheme_name == str(tmp_path / "scheme.toml")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ('annotated = "liver"', "annotated"),
        ("annotated = [1]", "annotated"),
        ('label_grid = "elsewhere"', "label_grid"),
        ("label_scheme = 3", "label_scheme"),
        ('unions = { lung_left = "upper" }', "unions"),
    ],
)
def test_damage_in_what_is_said_of_the_labels_is_refused(tmp_path, line, match):
    (tmp_path / "dataset.toml").write_text(f'schema = 1\nname = "a"\nscheme = "pants-28"\n{line}')
    with pytest.raises(ManifestError, match=f"{match} is missing or of the wrong type"):
        read_description(tmp_path)
