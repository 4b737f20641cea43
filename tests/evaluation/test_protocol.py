import hashlib

import pytest

from wirsung.errors import ConfigError
from wirsung.evaluation.protocol import METRICS, protocol, protocol_names, unit_of

OWN = """
schema = 1
name = "own"
tolerances_mm = [1.0, 2.5]
test = "<="
metrics = ["nsd", "dsc"]
headline = ["dsc"]
"""


def test_the_pants_protocol_is_strict_at_two_millimetres():
    pants = protocol("pants")
    assert (pants.strict, pants.test, pants.tolerances_mm) == (True, "<", (2.0,))
    assert pants.headline_names == ("dsc", "nsd_2mm", "hd95")


def test_the_decathlon_protocol_counts_up_to_five_millimetres():
    msd = protocol("msd")
    assert (msd.strict, msd.tolerances_mm) == (False, (5.0,))


def test_panorama_puts_detection_first():
    assert protocol("panorama").detection_first
    assert not protocol("panseg").detection_first


@pytest.mark.parametrize("name", protocol_names())
def test_every_built_in_protocol_scores_volumes_so_that_detection_works(name):
    made = protocol(name)
    assert made.name == name
    assert {"volume_ml", "reference_volume_ml"} <= set(made.metric_names)
    assert set(made.headline_names) <= set(made.metric_names)


def test_a_file_of_ones_own_is_a_protocol(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    own = protocol(tmp_path / "own.toml")
    assert own.metric_names == ("nsd_1mm", "nsd_2.5mm", "dsc")
    assert own.title == "own"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("schema = 1", "", "'schema' is missing"),
        ("schema = 1", "schema = 2", "schema is missing or wrong"),
        ("test =", "tset =", "key 'tset'.*Did you mean test"),
        ('"<="', '"=<"', "test is missing or wrong"),
        ('test = "<="', 'boundary = "mesh"', "boundary is missing or wrong"),
        ('"nsd", "dsc"', '"nsd", "dcs"', "no metric named 'dcs'.*Did you mean dsc"),
        ("[1.0, 2.5]", "[]", "nsd needs tolerances_mm above 0"),
        ("[1.0, 2.5]", "[-1.0]", "nsd needs tolerances_mm above 0"),
        ('headline = ["dsc"]', 'headline = ["hd95"]', "the headline needs hd95"),
        ("schema", "= schema", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path, before, after, message):
    (tmp_path / "own.toml").write_text(OWN.replace(before, after, 1))
    with pytest.raises(ConfigError, match=message):
        protocol(tmp_path / "own.toml")


def test_a_protocol_says_which_boundary_it_measures(tmp_path):
    assert protocol("pants").convention == "Boundary: voxel; near is < 2 mm."
    (tmp_path / "own.toml").write_text(OWN.replace("headline", 'boundary = "surfel"\nheadline'))
    own = protocol(tmp_path / "own.toml")
    assert own.surfels
    assert own.convention == "Boundary: surfel; near is <= 1 mm and 2.5 mm."


def test_an_unknown_protocol_is_answered_with_the_near_ones():
    with pytest.raises(ConfigError, match="Did you mean pants"):
        protocol("pant")


def test_every_metric_has_a_unit():
    assert {unit_of(name) for name in METRICS} == {"1", "mm", "ml"}
    assert unit_of("nsd_2mm") == "1"


def test_explanations_move_no_checksum_and_every_deciding_key_does(tmp_path):
    def checksum(text):
        (tmp_path / "own.toml").write_text(text)
        return protocol(tmp_path / "own.toml").sha256

    plain = checksum(OWN)
    explained = OWN + '[[conventions]]\nwhat = "NSD"\nchosen = "Two tolerances."\n'
    assert checksum(explained) == checksum('title = "Mine"\n' + OWN) == plain
    others = [
        OWN.replace('"own"', '"other"'),
        OWN.replace("[1.0, 2.5]", "[1.0, 2.0]"),
        OWN.replace('"<="', '"<"'),
        OWN.replace('["nsd", "dsc"]', '["nsd", "dsc", "iou"]'),
        'version = 2\nboundary = "voxel"\n' + OWN,
        'boundary = "surfel"\n' + OWN,
        "by_class = true\n" + OWN,
        "detection_first = true\n" + OWN,
    ]
    assert len({plain, *map(checksum, others)}) == 1 + len(others)


def test_the_checksum_is_that_of_the_deciding_fields_as_sorted_json(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    own = protocol(tmp_path / "own.toml")
    said = (
        '{"by_class":false,"case_score":"max","detection_first":false,"headline":["dsc"],"lesion_iou":0.1,'
        '"metrics":["nsd","dsc"],"name":"own",'
        '"operating_points":["youden","specificity:0.95","sensitivity:0.9"],'
        '"strict":false,"surfels":false,"tolerances_mm":[1.0,2.5],"version":1}'
    )
    assert own.sha256 == hashlib.sha256(said.encode()).hexdigest()
    assert (own.stamp.name, own.stamp.version, own.stamp.sha256) == ("own", 1, own.sha256)


@pytest.mark.parametrize("name", protocol_names())
def test_every_built_in_protocol_says_what_it_chose(name):
    made = protocol(name)
    assert made.conventions
    assert all(item.what and item.chosen for item in made.conventions)


def test_a_convention_with_an_unknown_key_is_refused(tmp_path):
    (tmp_path / "own.toml").write_text(OWN + '[[conventions]]\nwhta = "NSD"\n')
    with pytest.raises(ConfigError, match=r"key 'whta'.*Did you mean what"):
        protocol(tmp_path / "own.toml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('case_score = "topk"', "own.toml: There is no case score named 'topk'"),
        ('operating_points = ["yuden"]', "own.toml: There is no operating point named 'yuden'"),
        ("lesion_iou = 0", "lesion_iou is 0"),
        ("lesion_iou = 1.5", "lesion_iou is 1.5"),
    ],
)
def test_impossible_detection_is_an_error(tmp_path, line, message):
    (tmp_path / "own.toml").write_text(f"{line}\n{OWN}")
    with pytest.raises(ConfigError, match=message):
        protocol(tmp_path / "own.toml")


def test_detection_is_read_and_moves_the_checksum(tmp_path):
    lines = 'case_score = "topk:50"\nlesion_iou = 0.2\noperating_points = ["threshold:0.5"]\n'
    for name, text in (("plain", OWN), ("own", lines + OWN)):
        (tmp_path / f"{name}.toml").write_text(text)
    plain, own = (protocol(tmp_path / f"{name}.toml") for name in ("plain", "own"))
    assert (own.case_score, own.lesion_iou, own.operating_points) == ("topk:50", 0.2, ("threshold:0.5",))
    assert own.sha256 != plain.sha256
