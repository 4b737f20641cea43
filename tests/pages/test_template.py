import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from wirsung.pages.template import (
    Cell,
    Code,
    Facts,
    Gallery,
    Notice,
    Page,
    Paragraph,
    Picture,
    Section,
    Table,
    Tile,
    Tiles,
    render,
    write_page,
)

NASTY = '<script>alert("x")</script>&'


def page_of(*blocks) -> str:
    return render(Page("Title", "Lead", (Section("Section", blocks),), "Stage", (("Term", "Meaning"),)))


@pytest.mark.parametrize(
    "block",
    [
        Paragraph(NASTY),
        Notice(NASTY),
        Facts(((NASTY, NASTY),)),
        Tiles((Tile(NASTY, NASTY, NASTY),)),
        Table((NASTY,), ((NASTY,), (Cell(NASTY, 1.0, NASTY),)), NASTY),
        Table(("a",), ((Cell(NASTY, picture=Picture("data:,", NASTY)),),), searched=NASTY),
        Picture("data:,", NASTY, NASTY),
        Gallery((Picture("data:,", NASTY, NASTY),)),
        Code(NASTY, NASTY),
    ],
    ids=lambda block: block.kind,
)
def test_no_text_can_become_markup(block):
    html = page_of(block)
    assert NASTY not in html
    assert "&lt;script&gt;alert" in html
    assert html.count("<script>") == 1


def test_headings_and_definitions_are_escaped_too():
    html = render(Page(NASTY, NASTY, (Section(NASTY, ()),), NASTY, ((NASTY, NASTY),)))
    assert html.count("&lt;script&gt;alert") == 7
    assert html.count("<script>") == 1


def test_a_page_loads_nothing_from_elsewhere():
    html = page_of(Picture("data:,", "nothing"))
    assert not re.findall(r"(?:src|href)=\"(?!data:)", html)
    assert "http://" not in html.replace("http-equiv", "")
    assert "https://" not in html
    assert "@import" not in html


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_allows_exactly_the_inline_blocks(tag):
    html = page_of()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html).group(1)
    content = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy or f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith(("default-src 'none'", "default-src &#39;none&#39;"))
    assert "unsafe" not in policy


def test_the_html_is_well_formed():
    void = {"meta", "img", "link", "input"}

    class Checker(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, _attributes):
            if tag not in void:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(
        page_of(
            Paragraph("a"),
            Notice("b", "warning"),
            Facts((("c", "d"),)),
            Tiles((Tile("e", "f"),)),
            Table(("g", "h"), (("i", Cell.number(1.0, 2)),)),
            Table(("g",), ((Cell("i", picture=Picture("data:,", "j")),),), "c", "Find a case"),
            Gallery((Picture("data:,", "j", "k", 300), Picture("data:,", "l"))),
            Code("wirsung evaluate", "c"),
            Picture("data:,", "j", "k", 300),
        )
    )
    assert checker.open == []


def test_a_picture_has_its_alternative_text():
    assert 'alt="Three slices"' in page_of(Picture("data:,", "Three slices"))


def test_numbers_sort_as_numbers_and_undefined_ones_last():
    html = page_of(Table(("value",), ((Cell.number(-0.5, 2),), (Cell.number(float("nan"), 2),))))
    assert 'data-order="-0.5">−0.50<' in html
    assert 'data-order="inf">–<' in html


def test_dark_mode_and_print_are_styled():
    html = page_of()
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_a_page_is_written_whole(tmp_path):
    page = Page("Title", "", ())
    write_page(tmp_path / "out" / "page.html", page)
    assert (tmp_path / "out" / "page.html").read_text(encoding="utf-8") == render(page)


def test_a_page_that_is_still_written_reads_itself_anew():
    done = Page("Training", "", ())
    assert 'http-equiv="refresh"' not in render(done)
    assert '<meta http-equiv="refresh" content="20">' in render(replace(done, refresh_s=20))
