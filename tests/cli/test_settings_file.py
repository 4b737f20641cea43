from dataclasses import dataclass
from pathlib import Path

import pytest
import tyro

from wirsung.cli.settings_file import flags_from_toml, write_resolved
from wirsung.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    source: tyro.conf.Positional[Path]
    cases: int = 8
    fast: bool = False
    window_hu: tuple[int, int] = (-160, 240)
    model: Path | None = None


def parse(words):
    return tyro.cli(Settings, args=words)


def test_written_settings_are_read_back_the_same(tmp_path):
    settings = Settings(Path("patient-folder"), cases=3, fast=True, window_hu=(-100, 200))
    write_resolved(settings, "curate", tmp_path)
    flags = flags_from_toml(tmp_path / "curate.toml", Settings)
    assert parse(["patient-folder", *flags]) == settings


def test_paths_are_never_written(tmp_path):
    write_resolved(Settings(Path("JANE-DOE"), model=Path("of-JANE")), "curate", tmp_path)
    assert "JANE" not in (tmp_path / "curate.toml").read_text()


def test_the_command_line_wins_over_the_file(tmp_path):
    (tmp_path / "s.toml").write_text("cases = 3\nfast = true\n")
    flags = flags_from_toml(tmp_path / "s.toml", Settings)
    assert parse([*flags, "x", "--cases", "5"]) == Settings(Path("x"), cases=5, fast=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case = 3", "'case'.*Did you mean cases"),
        ("source = 'x'", "'source'"),
        ("cases = = 3", "not TOML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path, text, said):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        flags_from_toml(tmp_path / "s.toml", Settings)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.toml can't be read"):
        flags_from_toml(tmp_path / "nothing.toml", Settings)
