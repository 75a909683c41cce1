"""Estimators of tables within pipelines and meta-estimators, and the columns that reach them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.multioutput import ClassifierChain, RegressorChain
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from .._estimators.base import KerasDenseBase
from .._problem.fitted import Fitted
from .._tables.categories import GAPS, TEXTS
from .placeholders import MetaClassifier, MetaRegressor

# Attributes of fitted meta-estimators that hold the members that X reaches as it is.
_MEMBERS = "estimators_", "estimator_", "calibrated_classifiers_", "regressor_", "estimator"


class SelectedColumns(TransformerMixin, BaseEstimator):
    """Stand for a transformer that lets some columns pass and drops the others."""

    def __init__(self, transformer: Any, indices: Any) -> None:
        self.transformer = transformer
        self.indices = indices


def find_tables(model: Any) -> Iterator[Fitted]:
    """Yield the fits of estimators that take X as a table, with all its columns."""
    if isinstance(model, KerasDenseBase):
        fitted = getattr(model, "_fitted", None)
        if fitted is not None and fitted.table:
            yield fitted
    elif isinstance(model, Pipeline) and len(model.steps) == 1:
        yield from find_tables(model.steps[0][1])
    elif isinstance(model, MetaClassifier | MetaRegressor):
        yield from find_tables(model.model)
    elif not isinstance(model, ClassifierChain | RegressorChain | Pipeline | TransformerMixin):
        for member in _members_of(model):
            yield from find_tables(member)


def find_table(model: Any) -> Fitted | None:
    """Return the fit that says most of the columns of X, None if none takes them."""
    fits = list(find_tables(model))
    if not fits:
        return None
    most = max(fit.table.n_columns for fit in fits if fit.table)
    if any(fit.table.n_columns < most for fit in fits if fit.table):
        return None  # bagging gives members some of the columns
    return min(fits, key=_count_of_gaps)


def _count_of_gaps(fit: Fitted) -> int:
    """Return how many columns were of missing values only, in the rows that a member saw."""
    assert fit.table is not None
    return sum(category.kind == GAPS for category in fit.table.categories)


def _members_of(model: Any) -> list[Any]:
    for name in _MEMBERS:
        members = getattr(model, name, None)
        if members is not None:
            return list(members) if isinstance(members, list) else [members]
    return []


def needs_strings(model: Any) -> bool:
    """Whether columns of strings, beside others, reach an estimator at the end of a pipeline."""
    return any(
        fit.table and fit.table.n_columns > 1 and any(c.kind == TEXTS for c in fit.table.categories)
        for fit in find_tables(model)
    )


def replace_selections(steps: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the steps before an estimator of tables, with placeholders for selections.

    Raises
    ------
    ValueError
        For a step that changes columns of strings, or columns beside them.
    """
    replaced = []
    for name, step in steps:
        indices = None if step in (None, "passthrough") else _find_selection(step)
        if step not in (None, "passthrough") and indices is None:
            raise ValueError(
                "steps before an estimator that takes columns of strings must pass or drop "
                f"columns only, for ONNX. Got {type(step).__name__} in step {name!r}. Leave "
                "scaling, imputing and encoding to the estimator, which does all of it, or "
                "convert the estimator by itself, model[-1], with the frame that reaches it."
            )
        replaced.append((name, step if indices is None else SelectedColumns(step, indices)))
    return replaced


def _find_selection(step: Any) -> NDArray[np.intp] | None:
    """Return the indices of the columns that a step lets pass, None if it changes some."""
    if isinstance(step, SelectorMixin):
        return np.asarray(step.get_support(indices=True))
    if _is_identity(step):
        return np.arange(step.n_features_in_) if hasattr(step, "n_features_in_") else None
    if not isinstance(step, ColumnTransformer) or step.transformer_weights:
        return None
    parts: list[Any] = []
    for _, transformer, columns in step.transformers_:
        if transformer == "drop":
            continue
        if not _is_identity(transformer):
            return None
        parts.append(_find_indices(step, columns))
    return np.concatenate(parts) if parts else None


def _is_identity(transformer: Any) -> bool:
    is_function = isinstance(transformer, FunctionTransformer) and transformer.func is None
    return is_function or (isinstance(transformer, str) and transformer == "passthrough")


def _find_indices(step: ColumnTransformer, columns: Any) -> Any:
    """Return the indices of columns by name, mask, slice or index."""
    names = list(getattr(step, "feature_names_in_", []))
    if isinstance(columns, slice):
        ends = (columns.start, columns.stop)
        if any(isinstance(end, str) for end in ends):
            first = 0 if columns.start is None else names.index(columns.start)
            last = len(names) - 1 if columns.stop is None else names.index(columns.stop)
            return np.arange(first, last + 1)
        return np.arange(step.n_features_in_)[columns]
    chosen = [columns] if isinstance(columns, str | int) else list(columns)
    if any(isinstance(column, str) for column in chosen):
        return np.array([names.index(column) for column in chosen], int)
    return np.arange(step.n_features_in_)[np.asarray(chosen, None if chosen else int)]
