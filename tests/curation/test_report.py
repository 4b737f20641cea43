import numpy as np

from wirsung.curation.pictures import write_picture
from wirsung.curation.places import picture_path
from wirsung.curation.report import CaseVerdict, write_report
from wirsung.curation.verdicts import Verdict
from wirsung.imaging.volume import Volume


def written(tmp_path, verdicts, counts):
    write_report(tmp_path / "curation.html", "name", verdicts, counts, tmp_path / "out")
    return (tmp_path / "curation.html").read_text()


def test_each_verdict_is_told_with_its_reason(tmp_path):
    volume = Volume(np.zeros((4, 4, 4), np.int16), np.eye(4))
    for case in ("a", "b"):
        write_picture(picture_path(tmp_path / "out", case), volume, is_ct=True)
    verdicts = [
        CaseVerdict("a", Verdict("accept")),
        CaseVerdict("b", Verdict("repair", "PADDING_MAPPED", "Padding was set to air.")),
        CaseVerdict("c", Verdict("quarantine", "SLICE_GAP", "about 1 slices < all are missing")),
    ]
    html = written(tmp_path, verdicts, {"slice": 30, "LOCALIZER": 2, "NOT_DICOM": 5})
    for words in ("SLICE_GAP", "slices &lt; all", "Padding was set to air.", "scouts", "PADDING_MAPPED"):
        assert words in html
    assert html.count("data:image/png") == 2


def test_a_page_of_nothing_says_so(tmp_path):
    html = written(tmp_path, [], {})
    for words in ("Nothing was refused.", "Nothing needed repair.", "Nothing was set aside."):
        assert words in html


def test_a_long_page_is_cut_and_says_so(tmp_path):
    verdicts = [CaseVerdict(f"case-{n}", Verdict("quarantine", "TILT", "why")) for n in range(2001)]
    html = written(tmp_path, verdicts, {})
    assert "The first 2000 of 2001 rows are shown" in html
    assert "case-1999" in html
    assert "case-2000" not in html
