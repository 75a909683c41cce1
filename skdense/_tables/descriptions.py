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


def name_encoded_columns(encoder: TableEncoder, names: Iterable[Any]) -> list[str]:
    """Return the names of the columns of `TableEncoder.encode`, for the names of a table's.

    As scikit-learn's SimpleImputer and OneHotEncoder call them.
    """
    categories = {own.column: own for own in encoder.categories}
    plain, codes = [], []
    for number, name in enumerate(names):
        category = categories.get(number)
        if category is None:
            plain.append(str(name))
            plain += [f"missingindicator_{name}"] * bool(encoder.has_gaps[number])
        elif category.n_codes == 2:
            plain.append(f"{name}_{category.code_names[1]}")
        else:
            codes.append(str(name))
    return plain + codes


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
    kinds += ["missing"] * category.has_missing + ["infrequent"] * category.has_infrequent
    distinct = ", ".join(kinds) or "nothing"
    is_pair = category.n_codes == 2
    others = "unknown" if category.has_missing else "unknown or missing"
    if category.has_infrequent:
        becomes = "infrequent"
    elif is_pair:
        becomes = f"{category.mean:.3g}"
    else:
        becomes = "their mean"
    return f"{'-1 or 1, of' if is_pair else 'a category of'} {distinct}; {others}: {becomes}"
