"""Two small datasets with known oddities, and what is told of them."""

import pytest

from wirsung.datasets.contents import contents_of
from wirsung.datasets.describe.findings import findings_of
from wirsung.datasets.describe.run import describe
from wirsung.datasets.describe.settings import DescribeSettings


@pytest.fixture(scope="session")
def roots(tmp_path_factory, write_dataset):
    """One dataset with a huge liver in its case 7, one without."""
    parent = tmp_path_factory.mktemp("described")
    first = write_dataset(parent, "first", huge=(7,), cases=15, annotated=("liver", "pancreas", "spleen"))
    return first, write_dataset(parent, "second", cases=12, licence="CC-BY-4.0")


@pytest.fixture(scope="session")
def contents(roots):
    return contents_of(roots[0])


@pytest.fixture(scope="session")
def both(roots):
    return [findings_of(contents_of(root), root.name, 3.5) for root in roots]


@pytest.fixture(scope="session")
def released(release):
    """What is found of the real table of PanTS."""
    return findings_of(release, "PanTS", 3.5)


@pytest.fixture(scope="session")
def described(roots, tmp_path_factory):
    """What `describe` returns of both, and wrote."""
    return describe(
        DescribeSettings(roots, tmp_path_factory.mktemp("out") / "description", by="sex", pictures=2)
    )
