"""What becomes of each column, in words."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from .categories import Category
from .encoder import TableEncoder

_MOST_SHOWN = 200


def describe_columns(encoder: TableEncoder, names: Iterable[Any] | None) -> list[tuple[str, str]]:
    """Return the name, or number, of each column and what becomes of it."""
    categories = {own.column: own for own in encoder.categories}
    labels = range(encoder.n_columns) if names is None else names
    return [
        (
            str(label),
            _describe_category(categories[number])
            if number in categories
            else _describe_number(encoder.fills[number], encoder.has_gaps[number]),
        )
        for number, label in enumerate(labels)
    ]


def columns_html(encoder: TableEncoder, names: Iterable[Any] | None) -> str:
    """Return a table of the columns, folded up."""
    described = describe_columns(encoder, names)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>"
        for name, text in described[:_MOST_SHOWN]
    )
    more = len(described) - _MOST_SHOWN
    if more > 0:
        rows += f"<tr><td></td><td>and {more} more</td></tr>"
    return (
        f"<details><summary>{encoder.n_columns} columns become {encoder.width}</summary><table>"
        f"<thead><tr><th>Column</th><th>Becomes</th></tr></thead><tbody>{rows}</tbody></table>"
        "</details>"
    )


def _describe_number(fill: float, has_gaps: bool) -> str:
    missing = ", and whether it is missing" if has_gaps else ""
    return f"a number, {fill:.6g} where it is missing{missing}"


def _describe_category(category: Category) -> str:
    kinds = [f"{len(category.values)} {category.kind}"] if len(category.values) else []
    kinds += ["missing"] * category.has_missing + ["rare ones"] * category.has_rare
    told_apart = ", ".join(kinds) or "nothing"
    if category.n_codes == 2:
        return f"-1 or 1, of {told_apart}"
    return f"a category of {told_apart}"
