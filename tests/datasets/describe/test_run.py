import csv
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from wirsung.datasets.describe.run import PAGE_FILE, describe
from wirsung.datasets.describe.settings import DescribeSettings
from wirsung.errors import ConfigError, ManifestError


class References(HTMLParser):
    """Every address that a page would load or leads to."""

    def __init__(self):
        super().__init__()
        self.loaded, self.links = [], []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster") or (name == "href" and tag != "a"):
                self.loaded.append(value)
            if name == "href" and tag == "a":
                self.links.append(value)


@pytest.fixture(scope="module")
def html(described):
    return (described.out / PAGE_FILE).read_text()


def test_the_page_loads_nothing_from_elsewhere(html):
    found = References()
    found.feed(html)
    assert found.loaded
    assert all(address.startswith("data:") for address in found.loaded)
    assert "default-src &#39;none&#39;" in html


def test_every_link_leads_to_a_file_beside_the_page_and_every_file_is_linked(html, described):
    found = References()
    found.feed(html)
    there = {path.name for path in described.out.iterdir()} - {PAGE_FILE}
    assert set(found.links) == there == set(described.files)


def test_the_page_tells_of_both_datasets(html):
    for text in ("first and second", "Welch&#39;s t", "first-07", "Label coverage", "PANORAMA", "Data card"):
        assert text in html


def test_the_page_says_nothing_of_where_the_datasets_lie(html, roots):
    assert str(roots[0].parent) not in html


def test_the_tables_say_the_same_in_three_formats(described):
    lines = (described.out / "table_one.csv").read_text().splitlines()
    assert lines[0] == "Variable,first (n = 15),second (n = 12),p-value,SMD,Test"
    assert len((described.out / "table_one.md").read_text().splitlines()) == len(lines) + 1
    assert (described.out / "table_one.tex").read_text().count(r"\\") == len(lines)
    with (described.out / "datasets.csv").open() as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[-2:]] == ["first", "second"]


def test_the_parts_of_a_dataset_have_a_table_of_their_own(described, html):
    # Of fifteen cases five are of each sex and five of none, which are in neither part.
    lines = (described.out / "table_one-first_by_sex.csv").read_text().splitlines()
    assert lines[0] == "Variable,F (n = 5),M (n = 5),p-value,SMD,Test"
    assert "second by sex" in html


def test_outliers_and_coverage_are_lists_for_programs(described):
    with (described.out / "outliers.csv").open() as file:
        (found,) = csv.DictReader(file)
    assert (found["dataset"], found["case"], found["structure"]) == ("first", "first-07", "liver")
    assert float(found["value"]) == pytest.approx(3.84)
    with (described.out / "coverage.csv").open() as file:
        rows = {(row["dataset"], row["structure"]): row for row in csv.DictReader(file)}
    assert rows["first", "spleen"]["empty"] == "15"
    assert ("second", "spleen") not in rows


def test_each_dataset_has_its_card_its_open_questions_and_its_croissant(described):
    for name in ("first", "second"):
        assert (described.out / f"data_card-{name}.md").read_text().startswith(f"# Data card of {name}")
        assert "[uses]" in (described.out / f"open_questions-{name}.toml").read_text()
        assert json.loads((described.out / f"croissant-{name}.json").read_text())["name"] == name


def test_what_is_said_in_the_terminal_is_what_was_found(described):
    assert described.lines()[0].startswith("first, second: 1 outlying values; ")
    assert described.as_json()["outliers"] == 1


def checksums(root):
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_masks_are_measured_first_unless_that_is_refused(small_dataset, tmp_path):
    root = small_dataset(cases=2)
    measured = root / "structures.parquet"
    measured.unlink()
    kept = describe(DescribeSettings((root,), tmp_path / "out", measure=False))
    assert not measured.exists()
    assert not kept.outcomes
    assert "are not measured" in (tmp_path / "out" / PAGE_FILE).read_text()
    found = describe(DescribeSettings((root,), tmp_path / "out"))
    assert measured.is_file()
    assert [outcome.status for outcome in found.outcomes] == ["done", "done"]
    assert "are not measured" not in (tmp_path / "out" / PAGE_FILE).read_text()
    # From now on the dataset is only read, and the same comes out.
    before, first = checksums(root), checksums(tmp_path / "out")
    assert describe(DescribeSettings((root,), tmp_path / "out")).outcomes == []
    assert (checksums(root), checksums(tmp_path / "out")) == (before, first)
    assert {"data_card.md", "croissant.json", "open_questions.toml"} <= set(found.files)


def test_datasets_of_one_name_do_not_overwrite_each_others_files(small_dataset, tmp_path):
    roots = (small_dataset("a", cases=1), small_dataset("b", cases=1))
    text = (roots[1] / "dataset.toml").read_text()
    (roots[1] / "dataset.toml").write_text(re.sub(r'name = "b"', 'name = "a"', text))
    found = describe(DescribeSettings(roots, tmp_path / "out", pictures=0))
    assert found.names == ("a (a)", "a (b)")
    assert {"data_card-a_a.md", "data_card-a_b.md"} <= set(found.files)


@pytest.mark.slow
def test_the_real_table_of_a_release_is_described_without_any_image(shared_data, tmp_path):
    found = describe(DescribeSettings((shared_data / "pants_metadata" / "metadata.xlsx",), tmp_path))
    assert found.names == ("PanTS",)
    assert {"published.csv", "repairs.csv"} <= set(found.files)
    assert "croissant.json" not in found.files
    with (tmp_path / "published.csv").open() as file:
        rows = {row["Variable"]: row for row in csv.DictReader(file)}
    assert rows["Sex: Male"]["Difference"] == "+1, 0"
    text = (tmp_path / PAGE_FILE).read_text()
    assert "there are no images and no masks to tell of" in text
    assert len(text) < 2_000_000


def test_the_makers_answers_are_for_one_dataset(small_dataset, tmp_path):
    roots = (small_dataset("a", cases=1), small_dataset("b", cases=1))
    with pytest.raises(ConfigError, match="--answers holds those of one dataset"):
        describe(DescribeSettings(roots, tmp_path / "out", answers=tmp_path / "x.toml"))


def test_an_extra_table_of_other_cases_is_refused(small_dataset, tmp_path):
    path = tmp_path / "extra.csv"
    path.write_text("case,dilated_duct\nanother,yes\n")
    with pytest.raises(ConfigError, match="names no case of the datasets"):
        describe(DescribeSettings((small_dataset(cases=1),), tmp_path / "out", extra=path))


def test_a_column_that_divides_nothing_is_refused(small_dataset, tmp_path):
    with pytest.raises(ConfigError, match="--by modality has nothing to compare"):
        describe(DescribeSettings((small_dataset(cases=1),), tmp_path / "out", by="modality"))


def test_a_call_without_a_dataset_and_a_folder_that_is_none_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="No dataset is named"):
        describe(DescribeSettings((), tmp_path / "out"))
    with pytest.raises(ManifestError, match="neither a dataset nor"):
        describe(DescribeSettings((tmp_path,), tmp_path / "out"))
    with pytest.raises(ManifestError, match="does not exist"):
        describe(DescribeSettings((tmp_path / "none",), tmp_path / "out"))
    assert not (tmp_path / "out").exists()
