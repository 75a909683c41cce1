"""Sphinx extension: a page for each script of ``examples/``, and one with all of them.

A page is the script's docstring, the picture that it draws and the lines that it prints, both of
which ``draw_gallery.py`` keeps in ``gallery/``, and the script. The docstring begins with a
question, its title.
"""

import ast
import re
import textwrap
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"
PAGES = DOCS / "gallery"

SECTIONS = {
    "Tables": ["table_as_it_is", "penguins_pipeline", "regression", "counts", "imbalanced_classes"],
    "Searches": ["penguins_grid_search", "optuna_pruning", "width_and_depth"],
    "Training": [
        "xor",
        "penguins_early_stopping",
        "fashion_mnist",
        "continue_training",
        "tensorboard_logs",
    ],
    "Answers": ["intervals", "mnist_digits", "multilabel"],
    "Beyond one process": ["out_of_core", "save_and_serve"],
}


def read_docstring(name: str) -> tuple[str, str]:
    """Return the question that an example answers, and all further text."""
    source = (EXAMPLES / f"{name}.py").read_text()
    text = ast.get_docstring(ast.parse(source)) or ""
    paragraph, _, further = text.partition("\n\n")
    question, rest = re.fullmatch(r"(.+?[.?])(?:\s+(.*))?", paragraph, re.DOTALL).groups()
    return " ".join(question.split()).removesuffix("."), f"{rest or ''}\n\n{further}".strip()


def page_of(name: str) -> str:
    """Return the page of an example, as reStructuredText."""
    question, text = read_docstring(name)
    parts = [f"{question}\n{'=' * len(question)}", text]
    if (PAGES / f"{name}.png").exists():
        parts.append(f".. image:: {name}.png\n   :alt: The picture that {name}.py draws")
    parts.append("It prints:")
    parts.append(f".. literalinclude:: {name}.txt\n   :language: text")
    parts.append(f"The script, :download:`{name}.py <../../examples/{name}.py>`:")
    parts.append(f".. literalinclude:: ../../examples/{name}.py\n   :language: python")
    return "\n\n".join(parts) + "\n"


def card_of(name: str) -> str:
    """Return what leads to an example: its picture, or the first lines that it prints."""
    question, _ = read_docstring(name)
    face = f".. image:: {name}.png\n   :alt: \n   :target: {name}.html"
    if not (PAGES / f"{name}.png").exists():
        face = f".. literalinclude:: {name}.txt\n   :language: text"
    title = question.replace("``", "")  # a link holds no code
    inner = f"{face}\n\n:doc:`{title} <{name}>`"
    return f".. container:: card-of-example\n\n{textwrap.indent(inner, '   ')}"


def index() -> str:
    """Return the page with all examples."""
    parts = ["Gallery\n=======", (DOCS / "gallery_introduction.txt").read_text().strip()]
    for section, names in SECTIONS.items():
        parts.append(f"{section}\n{'-' * len(section)}")
        cards = "\n\n".join(map(card_of, names))
        parts.append(f".. container:: cards\n\n{textwrap.indent(cards, '   ')}")
    listed = "\n".join(f"   {name}" for names in SECTIONS.values() for name in names)
    parts.append(f".. toctree::\n   :hidden:\n\n{listed}")
    return "\n\n".join(parts) + "\n"


def write_pages(_app: Any = None) -> None:
    """Write all pages; those that have not changed stay as they are, lest Sphinx read them anew."""
    pages = {name: page_of(name) for names in SECTIONS.values() for name in names}
    for name, text in (pages | {"index": index()}).items():
        path = PAGES / f"{name}.rst"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app: Any) -> dict[str, bool]:
    """Have Sphinx write the pages before it looks for any."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
