"""Data shared by the tests: the Palmer penguins, as a table and as numbers, and files of digits."""

import ctypes
import gc
import gzip
import os
import sys

# Read when scikit-learn is imported: with more processes than processors, threads of OpenMP, as
# forests have, would spend most of their time waiting actively for each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pandas as pd
import pytest
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

MEASUREMENTS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "year"]
ISLANDS = ["Biscoe", "Dream", "Torgersen"]
SEXES = ["female", "male"]


def pytest_collection_modifyitems(items):
    """Begin with the file that takes longest, lest all processes wait for one at the end."""
    items.sort(key=lambda item: item.path.stem != "test_sklearn_checks")


def pytest_collection_finish():
    """Have no collection of garbage look through all that has been imported."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def memory_given_back():
    """Give back what compiling left, a quarter of what hundreds of programs take, after a file."""
    yield
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture
def penguins() -> tuple[pd.DataFrame, pd.Series]:
    """Texts, numbers and missing values, with the species as the target; sorted by it."""
    table = load_penguins()
    return table.drop(columns="species"), table["species"]


@pytest.fixture
def penguin_masses() -> tuple[pd.DataFrame, pd.Series]:
    """The same table without the body mass in grams, which is the target."""
    table = load_penguins().dropna(subset="body_mass_g")
    return table.drop(columns="body_mass_g"), table["body_mass_g"]


@pytest.fixture
def preprocessing() -> ColumnTransformer:
    """Nine columns at a scale near 1, without species and body mass; not fitted."""
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    # The categories are written out so that every fold has the same columns; a missing sex is
    # an unknown one.
    texts = OneHotEncoder(categories=[ISLANDS, SEXES], handle_unknown="ignore")
    return ColumnTransformer(
        [("numbers", numbers, MEASUREMENTS), ("texts", texts, ["island", "sex"])]
    )


def _write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=1))


@pytest.fixture
def write_digits():
    """Write scikit-learn's digits, enlarged, into files like MNIST's; returns the folder."""

    def write(folder, n_train, n_test):
        X, y = load_digits(return_X_y=True)
        images = np.kron(X.reshape(-1, 8, 8) * 15.9, np.ones((3, 3))).astype(np.uint8)
        images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
        folder.mkdir(exist_ok=True)
        for part, rows in ("train", slice(n_train)), ("t10k", slice(n_train, n_train + n_test)):
            _write_idx(folder / f"{part}-images-idx3-ubyte.gz", images[rows])
            _write_idx(folder / f"{part}-labels-idx1-ubyte.gz", y[rows].astype(np.uint8))
        return folder

    return write
