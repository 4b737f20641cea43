from wirsung.datasets.describe.page import description_page
from wirsung.datasets.tables.table_one import side_by_side
from wirsung.pages.template import Tiles


def test_one_dataset_is_introduced_by_its_numbers(both):
    found = description_page(both[:1], {"Cohort": side_by_side([both[0].cohort])}, [], {"a.csv": "x"}, 3.5)
    assert (found.title, found.overline) == ("first", "Dataset")
    tiles = next(block for block in found.sections[0].blocks if isinstance(block, Tiles)).tiles
    told = {tile.label: (tile.value, tile.note) for tile in tiles}
    assert told["scans"] == ("15", "of 8 patients")
    assert told["with a pancreatic tumour"] == ("5", "33.3 % of all scans")
    assert told["outlying cases"][0] == "1"
    assert [section.title for section in found.sections] == [
        "",
        "Cohort",
        "Distributions",
        "By centre",
        "By contrast phase",
        "Missing data",
        "Label coverage",
        "Outlying cases",
        "Beside public datasets",
        "Data card",
        "Files",
    ]
