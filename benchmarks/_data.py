"""What the networks of the benchmarks learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Array = NDArray[Any]


def generate(n_rows: int, n_features: int, n_classes: int) -> tuple[Array, Array]:
    """Draw overlapping clusters, one for each class."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=n_rows)
    # Centres some 3.5 standard deviations apart: learnable, but not without errors.
    centers = rng.standard_normal((n_classes, n_features), np.float32)
    centers *= np.float32(2.5 / np.sqrt(n_features))
    X = rng.standard_normal((n_rows, n_features), np.float32)
    X += centers[y]
    return X, y


def penguin_preparation() -> ColumnTransformer:
    """Return what fills the penguins' gaps, scales their numbers and encodes their text."""
    return make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
            make_column_selector(dtype_exclude="number"),
        ),
    )
