"""Real tables, and what is made of each before an estimator sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from palmerpenguins import load_penguins
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler

Array = NDArray[Any]

MOST_TRAINING_ROWS = 12_000
_FEWEST_OF_A_CATEGORY = 5


@dataclass(frozen=True)
class Table:
    """Where a table lies below the folder of data, and what is asked of it.

    Attributes
    ----------
    target : str
        The column to predict.
    file : str
        Of the penguins none, since a package has them.
    is_regression : bool
    dropped : list of str
        Columns that are names, or that give the target away.
    missing : str or None
        What stands for missing values besides nothing.
    """

    target: str
    file: str = ""
    is_regression: bool = False
    dropped: list[str] = field(default_factory=list)
    missing: str | None = None

    def read(self, folder: Path | None) -> tuple[pd.DataFrame, pd.Series]:
        """Return the columns and the target."""
        if not self.file:
            frame = load_penguins()
        else:
            assert folder is not None
            frame = pd.read_csv(folder / self.file, na_values=self.missing)
        frame = frame.dropna(subset=self.target)
        return frame.drop(columns=[self.target, *self.dropped]), frame[self.target]


_BIKE = ["instant", "dteday", "casual", "registered"]
TABLES = {
    "penguins": Table("species"),
    "adult": Table("income", "adult/adult.csv", missing="?"),
    "churn": Table(
        "Exited",
        "churn_modelling/Churn_Modelling.csv",
        dropped=["RowNumber", "CustomerId", "Surname"],
    ),
    "phoneme": Table("class", "phoneme/phoneme.csv"),
    "covertype": Table("Cover_Type", "covertype_15k/train.csv", dropped=["Id"]),
    "titanic": Table("survived", "titanic/titanic_seaborn.csv", dropped=["alive"]),
    "california": Table(
        "MedHouseVal",
        "california_housing/california_housing_sklearn.csv",
        is_regression=True,
    ),
    "diamonds": Table("price", "diamonds/diamonds.csv", is_regression=True),
    "bike": Table("cnt", "bike_sharing/hour.csv", is_regression=True, dropped=_BIKE),
    "wine": Table("quality", "wine_quality/winequality.csv", is_regression=True),
    "concrete": Table("strength", "concrete/concrete.csv", is_regression=True),
}


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to judge by; classes are numbered.

    Attributes
    ----------
    X_train, X_test : ndarray
        All columns as numbers.
    raw_train, raw_test : DataFrame
        The columns as they are.
    y_train, y_test : ndarray
    """

    X_train: Array
    X_test: Array
    raw_train: pd.DataFrame
    raw_test: pd.DataFrame
    y_train: Array
    y_test: Array

    @cached_property
    def typed(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The raw columns, but whatever is no number as pandas' categories, a gap being one."""
        frame = pd.concat([self.raw_train, self.raw_test])
        others = frame.select_dtypes(exclude="number")
        named = others.astype(object).where(others.notna(), "missing").astype(str)
        frame = frame.assign(**dict(named.astype("category").items()))
        n_train = len(self.raw_train)
        return frame.iloc[:n_train], frame.iloc[n_train:]


def split(table: Table, folder: Path | None, seed: int, most_rows: int) -> Split:
    """Hold a quarter out, and make numbers of the rest by what it shows.

    Numbers are imputed by their median, with an indicator, and standardized; categories become
    indicators, rare ones together.
    """
    frame, target = table.read(folder)
    y = target.to_numpy() if table.is_regression else LabelEncoder().fit_transform(target)
    strata = None if table.is_regression else y
    rows, tests = train_test_split(np.arange(len(y)), random_state=seed, stratify=strata)
    rows = rows[:most_rows]
    transform = _make_numbers()
    raw_train, raw_test = frame.iloc[rows], frame.iloc[tests]
    X_train, X_test = transform.fit_transform(raw_train), transform.transform(raw_test)
    return Split(X_train, X_test, raw_train, raw_test, y[rows], y[tests])


def impute_numbers() -> Any:
    """Return what fills the gaps of a frame's numbers, and leaves its categories as they are."""
    columns = make_column_transformer(
        (_imputer(), make_column_selector(dtype_include="number")),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return columns.set_output(transform="pandas")


def _imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True)


def _make_numbers() -> Any:
    selected: Callable[..., Any] = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    numbers = make_pipeline(_imputer(), StandardScaler())
    indicators = OneHotEncoder(
        min_frequency=_FEWEST_OF_A_CATEGORY,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    )
    return make_column_transformer((numbers, selected), (indicators, others))
