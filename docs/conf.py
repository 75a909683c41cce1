"""How Sphinx builds the site: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``.

Nothing is fetched, and no example is run: their pictures are made by ``draw_gallery.py``.
"""

import sys
from pathlib import Path
from typing import Any

from docutils import nodes

import skdense

sys.path.insert(0, str(Path(__file__).parent))  # where gallery_pages is

project = "skdense"
author = "the skdense developers"
release = version = skdense.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "gallery_pages",
]
exclude_patterns = ["_build"]
templates_path = ["templates"]
default_role = "literal"  # single quotes in docstrings are code
toc_object_entries_show_parents = "hide"

myst_heading_anchors = 3
autodoc_typehints = "none"  # docstrings say it, with shapes
autosummary_generate = True
numpydoc_show_class_members = False  # the template of classes lists them
numpydoc_class_members_toctree = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "skdense"
html_static_path = ["static"]
html_favicon = "static/favicon.svg"
html_css_files = ["site.css"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}  # dark where the reader's system is
ALONE = ["start", "coming_from", "questions", "changelog", "contributing"]
html_sidebars: dict[str, list[str]] = {page: [] for page in ALONE}
html_theme_options = {
    "github_url": "https://github.com/skdense/skdense",
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# Labels of scikit-learn's manual, by which docstrings that our classes inherit refer to it.
SKLEARN = {
    "accuracy_score": "modules/model_evaluation.html#accuracy-score",
    "meta-estimator": "glossary.html#term-meta-estimator",
    "metadata_routing": "metadata_routing.html",
    "r2_score": "modules/model_evaluation.html#r2-score-the-coefficient-of-determination",
}


def link_to_sklearn(_app: Any, _env: Any, node: Any, content: nodes.Node) -> nodes.Node | None:
    """Return a link for a label of scikit-learn's, and None for any other."""
    page = SKLEARN.get(node.get("reftarget"))
    if page is None:
        return None
    address = f"https://scikit-learn.org/stable/{page}"
    return nodes.reference("", "", content, refuri=address, internal=False)


def setup(app: Any) -> None:
    """Have Sphinx call what is defined here."""
    app.connect("missing-reference", link_to_sklearn)
