"""The catalog: every row whole, every name findable, and nothing imported for it."""

import subprocess
import sys
from dataclasses import replace

import pytest

from wirsung.errors import CheckpointError, ConfigError, MissingDependencyError
from wirsung.models.networks.catalog import catalog, entry, entry_of_class
from wirsung.models.networks.topology import plan_of_patch


@pytest.mark.parametrize("name", sorted(catalog()))
def test_every_row_says_what_a_user_must_know(name):
    item = entry(name)
    assert item.title
    assert item.licence == "Apache-2.0"
    assert item.paper
    assert item.origin
    assert item.extra in {"train", "zoo"}
    assert "torch" in item.needs
    assert ("monai" in item.needs) == (item.extra == "zoo")
    assert item.patch


@pytest.mark.parametrize("name", sorted(catalog()))
def test_every_class_is_found_by_the_path_that_plans_name(name):
    item = entry(name)
    assert item.load().__name__ == item.class_path.rpartition(".")[2]
    assert entry_of_class(item.class_path).class_path == item.class_path


def test_an_unknown_name_is_answered_with_the_near_ones():
    with pytest.raises(ConfigError, match=r"no network named 'unter'. Did you mean unetr\?"):
        entry("unter")


def test_old_plans_find_nnunets_networks_wherever_they_lay():
    assert entry_of_class("old.place.PlainConvUNet").name == "nnunet"


@pytest.mark.parametrize("path", ["os.system", "evil.Unetr", "wirsung.models.networks.unetr.os"])
def test_no_other_class_is_found(path):
    with pytest.raises(CheckpointError, match="networks are not built of here"):
        entry_of_class(path)


def test_a_missing_package_is_named_with_the_extra_that_brings_it():
    item = replace(entry("unetr"), needs=("torch", "a_package_that_is_not_there"))
    assert item.missing == ("a_package_that_is_not_there",)
    message = r"unetr needs a_package_that_is_not_there.*pip install 'wirsung\[zoo\]'"
    with pytest.raises(MissingDependencyError, match=message):
        item.load()
    with pytest.raises(MissingDependencyError, match=message):
        item.fit(plan_of_patch((32, 32, 32)))


def test_without_monai_the_zoo_says_so_and_nnunet_is_built(monkeypatch):
    from wirsung.models.networks import build_network

    monkeypatch.setitem(sys.modules, "monai", None)
    plan = plan_of_patch((32, 32, 32), features=(4, 8))
    with pytest.raises(MissingDependencyError, match=r"needs monai.*wirsung\[zoo\]"):
        build_network("unetr", plan, 1, 2)
    assert build_network("nnunet", plan, 1, 2) is not None


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("from wirsung.models.networks import catalog; catalog()", ("torch", "monai", "timm")),
        (
            "from wirsung.models.networks import build_network;"
            "from wirsung.models.networks.topology import plan_of_patch;"
            "build_network('nnunet', plan_of_patch((16, 16, 16), features=(2, 4)), 1, 2)",
            ("monai", "timm", "torchvision"),
        ),
    ],
    ids=["the catalog", "a plain nnU-Net"],
)
def test_what_is_not_needed_is_not_imported(code, unwanted):
    check = f"import sys; {code}; sys.exit(bool([n for n in {unwanted!r} if n in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
