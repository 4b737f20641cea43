import shutil

import pytest
from source_fakes import FAKES, pants, save

from wirsung.datasets.importing.finding import find_cases, guess, list_files, one_of
from wirsung.datasets.sources import read_source, source_named
from wirsung.errors import ManifestError


def find(name, folder):
    return find_cases(source_named(name), folder, list_files(folder))


@pytest.mark.parametrize("item", FAKES, ids=lambda item: item.source)
def test_a_folder_is_known_by_its_files(item, tmp_path):
    names = guess(list_files(item.build(tmp_path)))
    alike = {"pants": "abdomen-atlas"}
    assert names[0] == item.source or alike.get(item.source) == names[0]


@pytest.mark.parametrize("depth", ["Task07_Pancreas", ".", "up/and/up"])
def test_the_folder_may_be_named_from_above_or_inside(depth, tmp_path, fake):
    raw = fake("msd-pancreas").build(tmp_path / "raw")
    if depth == "up/and/up":
        raw = shutil.move(raw, tmp_path / "top/up/and/up") and tmp_path / "top"
    else:
        raw /= depth
    assert list(find("msd-pancreas", raw).cases) == ["pancreas_001", "pancreas_002"]


@pytest.mark.parametrize(
    ("name", "inner"), [("pansegdata-t1", "t1"), ("btcv", "RawData/Training"), ("kits", "kits23")]
)
def test_the_folder_that_is_named_may_be_part_of_the_layout(name, inner, tmp_path, fake):
    raw = fake(name).build(tmp_path)
    assert len(find(name, raw / inner).cases) == 1


def test_hidden_and_resource_files_of_other_systems_are_none(tmp_path, fake):
    raw = fake("msd-pancreas").build(tmp_path)
    (raw / "Task07_Pancreas/imagesTr/._pancreas_003.nii.gz").write_bytes(b"x")
    (raw / "__MACOSX/imagesTr").mkdir(parents=True)
    (raw / "__MACOSX/imagesTr/pancreas_004.nii.gz").write_bytes(b"x")
    assert list(find("msd-pancreas", raw).cases) == ["pancreas_001", "pancreas_002"]


def test_a_folder_that_leads_back_to_itself_is_walked_once(tmp_path, fake):
    raw = fake("msd-pancreas").build(tmp_path)
    (raw / "Task07_Pancreas/again").symlink_to(raw, target_is_directory=True)
    assert len(find("msd-pancreas", raw).cases) == 2


def test_half_a_folder_says_what_is_missing(tmp_path, fake):
    raw = fake("btcv").build(tmp_path)
    save(raw / "RawData/Training/img/img0002.nii.gz")
    save(raw / "RawData/Training/label/label0007.nii.gz")
    found = find("btcv", raw)
    assert found.unlabelled == ("0002",)
    assert found.imageless == ("0007",)
    shutil.rmtree(raw / "RawData/Training/img")
    shutil.rmtree(raw / "RawData/Testing")
    with pytest.raises(
        ManifestError, match=r"has labels of 2 cases of btcv, but no image\. Unpack the images"
    ):
        find("btcv", raw)


def test_test_images_without_labels_are_as_they_should_be(tmp_path, fake):
    assert find("btcv", fake("btcv").build(tmp_path)).unlabelled == ()


def test_two_layouts_in_one_folder_are_refused(tmp_path):
    raw = pants(None).build(tmp_path)
    assert find("pants", raw).layout.name == "as released"
    save(raw / "data/LabelAll/PanTS_00000001/segmentations/liver.nii.gz")
    with pytest.raises(
        ManifestError, match=r"mixes two layouts of pants: .* 'labels not sorted yet', such as data/LabelAll"
    ):
        find("pants", raw)


def test_two_copies_in_one_folder_are_refused(tmp_path, fake):
    raw = fake("word").build(tmp_path)
    shutil.copytree(raw / "WORD-V0.1.0", raw / "WORD-old")
    with pytest.raises(ManifestError, match=r"holds word 2 times: in WORD-V0.1.0/, WORD-old/\. Name one"):
        find("word", raw)


def test_a_case_that_is_there_twice_counts_once_if_both_are_equal(tmp_path, fake):
    raw = fake("panorama").build(tmp_path)
    one, two = raw / "batch_1/100002_00002_0000.nii.gz", raw / "batch_2/100002_00002_0000.nii.gz"
    two.parent.mkdir()
    two.write_bytes(one.read_bytes())
    case = find("panorama", raw).cases["100002_00002"]
    assert len(case.images) == 2
    assert one_of(case.images, raw) == "batch_1/100002_00002_0000.nii.gz"
    save(two, [9, 9, 9])
    with pytest.raises(ManifestError, match=r"twice with different content: batch_1/.* and batch_2/"):
        one_of(case.images, raw)


def test_what_can_not_be_linked_is_sent_elsewhere(tmp_path):
    text = 'schema = 1\nname = "a"\ntitle = "A"\nadvice = "Convert it first."\nmarks = ["**/*.mha"]'
    with pytest.raises(ManifestError, match=r"in a form that can't be linked\. Convert it first"):
        find_cases(read_source(text, "a.toml"), tmp_path, ["x/y.mha"])


def test_archives_that_were_not_unpacked_are_told(tmp_path):
    (tmp_path / "WORD-V0.1.0.zip").write_bytes(b"")
    with pytest.raises(ManifestError, match=r"1 other file\)\. It holds archives: unpack them first"):
        find("word", tmp_path)


def test_a_folder_of_something_else_is_refused(tmp_path):
    save(tmp_path / "scan.nii.gz")
    with pytest.raises(
        ManifestError,
        match=r"has no image of word, which are .*imagesTr/word_\\d\{4\}\.nii\.gz.*1 other file",
    ):
        find("word", tmp_path)
    with pytest.raises(ManifestError, match="does not exist"):
        find("word", tmp_path / "nowhere")
    with pytest.raises(ManifestError, match="is no folder"):
        find("word", tmp_path / "scan.nii.gz")
