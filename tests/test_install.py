"""What is said of installing works as printed, and extras bring what their scripts import."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SHOWN = [
    *(ROOT / "skdense").rglob("*.py"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "docs").rglob("*.txt"),
    ROOT / "README.md",
    *EXAMPLES,
]


def brought_by(requirements):
    """Return the names of packages, with those of extras in place of the extras."""
    for requirement in map(Requirement, requirements):
        if requirement.name == "skdense":
            for extra in requirement.extras:
                yield from brought_by(EXTRAS[extra])
        else:
            yield requirement.name.replace("-", "_")


def packages(*extras):
    found = set(brought_by(PROJECT["dependencies"]))
    for extra in extras:
        found |= set(brought_by(EXTRAS[extra]))
    return found | {"skdense", "sklearn"}


def imported_by(code):
    """Return the modules of others that code imports without asking whether they are there."""
    tree = ast.parse(code)
    asked_for = [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.Try)]
    optional = {id(inner) for node in asked_for for inner in ast.walk(node)}
    names = set()
    for node in ast.walk(tree):
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return {name for name in names if name not in sys.stdlib_module_names and name[0] != "_"}


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_extra_of_examples_brings_what_they_import(script):
    introduction = (ROOT / "docs" / "gallery_introduction.txt").read_text()
    assert "'.[examples]'" in introduction
    assert imported_by(script.read_text()) <= packages("examples")


@pytest.mark.parametrize(("page", "extras"), [("serving", ["onnx"]), ("searches", ["optuna"])])
def test_extras_that_pages_name_bring_what_they_import(page, extras):
    text = (ROOT / "docs" / "guide" / f"{page}.md").read_text()
    assert all(f"`pip install '.[{extra}]'`" in text for extra in extras)
    rows = packages("examples", *extras)  # examples: what all pages read their data with
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        if not re.search("import (ray|dask)|from (ray|dask)", block):
            assert imported_by(block) <= rows


def test_nothing_is_said_to_install_from_an_index_that_lacks_it():
    for path in SHOWN:
        said = re.findall(r"pip install (?:-\S+ )*'?skdense\b.*", path.read_text())
        assert not said, f"{path.name}: {said}"


def test_extras_that_are_named_exist():
    for path in SHOWN:
        for extras in re.findall(r"'\.\[([\w,]+)\]'", path.read_text()):
            assert EXTRAS.keys() >= set(extras.split(","))
    page = (ROOT / "docs" / "start.md").read_text()
    table = page.partition("| extra | for |\n|---|---|\n")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row)}
    assert named == EXTRAS.keys() - {"docs", "test", "dev"}


def test_every_place_that_lists_dependencies_has_them_all():
    required = map(Requirement, PROJECT["dependencies"])
    bounds = {one.name: str(one.specifier) for one in required}
    recipe = (ROOT / "conda" / "meta.yaml").read_text()
    oldest = (ROOT / "tools" / "oldest.txt").read_text()
    for name, bound in bounds.items():
        assert f"    - {name} {bound}\n" in recipe
        assert re.search(rf"^{name}=={re.escape(bound.removeprefix('>='))}", oldest, re.MULTILINE)
