"""Data shared by the tests: the Palmer penguins, as a table and as numbers."""

import pandas as pd
import pytest
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

MEASUREMENTS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "year"]
ISLANDS = ["Biscoe", "Dream", "Torgersen"]
SEXES = ["female", "male"]


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
