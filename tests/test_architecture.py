"""The rules of the source tree that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "wirsung"
MODULES = sorted(path for path in SOURCE.rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
TESTED = (
    "errors",
    "anatomy",
    "compute",
    "imaging",
    "phantom",
    "pages",
    "datasets",
    "models",
    "inference",
    "web",
)
"""Packages that owe a test file for each module; the list grows until it holds them all."""
VAGUE = {"utils", "util", "helpers", "common", "misc", "base", "core", "manager"}


def relative(path):
    return str(path.relative_to(SOURCE))


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def has_content(path):
    """Whether a module defines anything; one of plain names has nothing to test."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_no_file_is_two_things(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_no_function_is_two_things(path):
    long = {item.name: length for item in functions(path) if (length := body_lines(item)) > LONGEST_FUNCTION}
    assert not long


def body_lines(function):
    """Lines of a function, without its docstring."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    told = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
    return function.end_lineno - function.lineno + 1 - told


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_no_module_has_a_vague_name(path):
    assert not VAGUE & {path.stem, *path.relative_to(SOURCE).parts[:-1]}


def test_every_module_has_its_test_file():
    missing = []
    for path in MODULES:
        place = path.relative_to(SOURCE)
        test = ROOT / "tests" / place.parent / f"test_{place.name}"
        if not path.name.startswith("__") and has_content(path) and not test.is_file():
            missing.append(str(place))
    owed = [name for name in missing if Path(name).parts[0].removesuffix(".py") in TESTED]
    assert not owed, f"no test file yet for {', '.join(owed)}; not owed yet: {', '.join(missing)}"


def test_every_test_file_belongs_to_a_module():
    whole = {"test_architecture", "test_doctests", "conftest"}
    # What no module of inference does alone: parity with nnU-Net, bad input, a full disk, kills.
    whole |= {"test_parity", "test_bad_input", "test_bad_models", "test_full_disk", "test_kills"}
    for package in TESTED[1:]:
        for path in (ROOT / "tests" / package).glob("test_*.py"):
            module = SOURCE / package / path.name.removeprefix("test_")
            assert module.is_file() or path.stem in whole, f"{path.name} tests no module"
