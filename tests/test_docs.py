"""The site's blocks of code run, its links lead somewhere, and it has all that is public."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import skdense

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(
    path for path in DOCS.rglob("*.md") if not {"_build", "api"} & set(path.relative_to(DOCS).parts)
)
# What a reader who comes from elsewhere has, and we need not; what a release lacks.
OPTIONAL = {"scikeras", "skorch", "torch", "pytabkit", "sklearn.callback"}
# By test_libraries.py, by test_readme.py, and by its like in start.md.
TESTED_ELSEWHERE = {"libraries", "start", "index"}
KERAS_SAVES = pytest.mark.filterwarnings(
    # Of Keras, when it saves on NumPy 2.
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)


EXAMPLES = sorted(path.stem for path in (DOCS.parent / "examples").glob("[!_]*.py"))


def blocks_of(page):
    """Return (line, code) of each block of Python."""
    text = page.read_text()
    found = re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [(text[: block.start(1)].count("\n"), block[1]) for block in found]


def runs_here(code):
    """Say whether a block's imports are installed, and it starts no workers."""
    nodes = list(ast.walk(ast.parse(code)))
    modules = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    of_clusters = {"ray", "dask.distributed"} & modules  # tests of README run them as scripts
    optional = OPTIONAL & {*modules, *(name.partition(".")[0] for name in modules)}
    return not of_clusters and all(map(importlib.util.find_spec, optional))


@pytest.mark.slow
@KERAS_SAVES
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.stem not in TESTED_ELSEWHERE and blocks_of(page)],
    ids=lambda page: str(page.relative_to(DOCS)),
)
def test_blocks_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the files they write
    plt.switch_backend("Agg")
    names = {"__name__": "page"}
    try:
        for line, code in blocks_of(page):
            if runs_here(code):
                # Empty lines ahead, so that an error names the line of the page.
                exec(compile("\n" * line + code, str(page), "exec"), names)  # noqa: S102
    finally:
        plt.close("all")


def test_first_page_has_the_first_block_of_the_start():
    [(_, code)] = blocks_of(DOCS / "index.md")
    assert code == blocks_of(DOCS / "start.md")[0][1]


def slug(heading):
    """Return the name by which MyST lets a heading be linked to."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page):
    code = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+)\)", code.sub("", page.read_text()))
    for link in links:
        if "://" in link:
            continue
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if target.parent == DOCS / "gallery" and not target.suffix:
            assert target.name in [*EXAMPLES, "index"], link
            continue
        assert target.exists(), link
        if place:
            found = re.findall(r"^#+ (.+)$", code.sub("", target.read_text()), re.MULTILINE)
            assert place in map(slug, found), link


def test_every_public_name_is_in_the_api():
    listed = r"^(?:   |\.\. py:data:: )(\w+)$"
    names = re.findall(listed, (DOCS / "api.md").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(skdense.__all__)


@pytest.fixture
def gallery_pages(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    yield importlib.import_module("gallery_pages")
    del sys.modules["gallery_pages"]


def test_every_example_is_in_the_gallery_with_what_it_prints(gallery_pages):
    names = [name for names in gallery_pages.SECTIONS.values() for name in names]
    assert sorted(names) == EXAMPLES
    for name in names:
        question, text = gallery_pages.read_docstring(name)
        assert len(question) < 100
        assert text
        assert (DOCS / "gallery" / f"{name}.txt").read_text()


def test_examples_without_a_picture_are_those_that_print_only():
    drawn = {path.stem for path in (DOCS / "gallery").glob("*.png")}
    assert set(EXAMPLES) - drawn == {
        "out_of_core",
        "save_and_serve",
        "table_as_it_is",
    }


def test_every_page_of_the_guide_is_listed():
    listed = re.findall(r"^(\w+)$", (DOCS / "guide" / "index.md").read_text(), re.MULTILINE)
    written = {path.stem for path in (DOCS / "guide").glob("*.md")} - {"index"}
    assert written == set(listed)
