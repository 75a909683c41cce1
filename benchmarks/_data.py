"""What the networks of the benchmarks learn."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Array = NDArray[Any]

_BLOCK = 2**16  # rows made at a time, so that making them takes hardly more memory than they do


def generate(
    n_rows: int, n_features: int, n_classes: int, out: Array | None = None
) -> tuple[Array, Array]:
    """Draw overlapping clusters in float32, one for each class; `out` takes the rows."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=n_rows)
    # Centres some 3.5 standard deviations apart: learnable, but not without errors.
    centers = rng.standard_normal((n_classes, n_features), np.float32)
    centers *= np.float32(2.5 / np.sqrt(n_features))
    X = np.empty((n_rows, n_features), np.float32) if out is None else out
    for start in range(0, n_rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        X[block] = rng.standard_normal((len(y[block]), n_features), np.float32)
        X[block] += centers[y[block]]
    return X, y


def generate_numbers(n_rows: int, n_features: int) -> tuple[Array, Array]:
    """Draw rows, and as a target of each a bent sum of them with noise, in float32."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features), np.float32)
    slopes = rng.standard_normal((n_features, 2), np.float32) / np.float32(np.sqrt(n_features))
    y = np.tanh(X @ slopes[:, 0]) + X @ slopes[:, 1]
    return X, y + np.float32(0.1) * rng.standard_normal(n_rows, np.float32)


def read_mnist(folder: Path, n_rows: int) -> tuple[Array, Array]:
    """Read the first training images, scaled to 0-1, and labels from the original files."""
    pixels, labels = read_images(folder, "train")
    return pixels[:n_rows] / np.float32(255), labels[:n_rows]


def read_images(folder: Path, part: str) -> tuple[Array, Array]:
    """Read pixels of 0 to 255 and labels, of "train" or "t10k", from files like MNIST's."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28 * 28)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels, labels.astype(np.int64)


def penguins() -> tuple[Any, Any]:
    """Return the table of the Palmer penguins, with gaps and text, and their species."""
    X = load_penguins()
    y = X.pop("species")
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
