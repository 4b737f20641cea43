from pathlib import Path

import tyro

from wirsung.datasets.describe.settings import DescribeSettings


def test_several_datasets_are_named_one_after_the_other():
    found = tyro.cli(
        DescribeSettings, args=["a", "b", "--out", "c", "--no-measure", "--pictures", "0", "--by", "subset"]
    )
    assert found == DescribeSettings(
        (Path("a"), Path("b")), Path("c"), by="subset", pictures=0, measure=False
    )
