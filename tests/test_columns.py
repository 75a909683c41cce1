"""Columns of a table: what strings stand for, what tells a network little, what is refused.

Most tests read and encode without training; the others share one architecture.
"""

import datetime
import decimal
import re
import warnings

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

import skdense
from skdense import (
    FeatureTypeWarning,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)
from skdense._problem.given import Given
from skdense._problem.reading import Reader
from skdense._problem.tables import read_rows
from skdense._tables.encoder import as_numbers
from skdense._tables.reading import read_table
from skdense._tables.semantic_types import SemanticType, infer_semantic_type

ROWS = 60
RANDOM = np.random.default_rng(0)
NUMBERS = np.arange(ROWS) % 7 * 1.0
SMALL = {"units": 4, "depth": 1, "epochs": 1, "random_state": 0}
OF_TABLES = SMALL | {"n_estimators": 2}

# --- what strings stand for -------------------------------------------------------------------

TYPES = {
    "decimals": (["29.85", "1889.5", " "], SemanticType.NUMBER),
    "whole numbers with a mark of missing ones": (["3", "12", "104", "?"], SemanticType.NUMBER),
    "thousands": (["1,234", "12,345.5", "9"], SemanticType.NUMBER),
    "European": (["1.234,5", "12,75"], SemanticType.NUMBER),
    "spaces": (["1 234", "12 345,5"], SemanticType.NUMBER),
    "currency": (["$1,200", "$35"], SemanticType.NUMBER),
    "currency behind": (["12 €", "3.5 €"], SemanticType.NUMBER),
    "percent": (["12%", "3.5 %"], SemanticType.NUMBER),
    "unit": (["18.9 kmpl", "23.4 kmpl"], SemanticType.NUMBER),
    "signs and exponents": (["-1", "+2.5", "3e-5"], SemanticType.NUMBER),
    "whole numbers": (["3", "12", "104"], SemanticType.WHOLE_NUMBER),
    "postal codes, some missing": (["90210", "10001", "N/A"], SemanticType.WHOLE_NUMBER),
    "leading zeros, some missing": (["007", "12", "N/A"], SemanticType.WHOLE_NUMBER),
    "ISO dates": (["2020-01-31", "2021-12-01"], SemanticType.DATE),
    "ISO times": (["2020-01-31T10:00:00Z", "2021-12-01 09:30:00.5+01:00"], SemanticType.DATE),
    "American dates": (["1/31/2020", "12/1/21"], SemanticType.DATE),
    "dots": (["31.1.2020", "01.12.2021"], SemanticType.DATE),
    "names of months": (["31 Jan 2020", "Dec 1, 2021", "1-Feb-20"], SemanticType.DATE),
    "units that differ": (["1 year", "2 years", "3 weeks", "1 day"], SemanticType.CATEGORY),
    "seats": (["3A", "3B", "12C", "7D"], SemanticType.CATEGORY),
    "ranges": (["1-4", "5-10", "11-20"], SemanticType.CATEGORY),
    "bounds": (["<1", "3", ">20"], SemanticType.CATEGORY),
    "months": (["2020-01", "2020-02"], SemanticType.CATEGORY),
    "versions": (["1.2.3", "1.10.0"], SemanticType.CATEGORY),
    "words": (["red", "light blue"], SemanticType.CATEGORY),
    "only marks": (["?", " "], SemanticType.CATEGORY),
    "nothing": ([], SemanticType.CATEGORY),
    "sentences": (["the cat sat there", "a dog ran off"], SemanticType.FREE_TEXT),
}


@pytest.mark.parametrize("name", TYPES)
def test_what_strings_stand_for(name):
    values, expected = TYPES[name]
    assert infer_semantic_type(values, are_unique=False) is expected


def test_identifiers_are_strings_that_differ_in_all_rows():
    assert infer_semantic_type(["A67", "B12"], are_unique=True) is SemanticType.IDENTIFIER


def test_a_few_values_of_another_form_change_nothing():
    values = [f"{n / 8}" for n in range(95)] + ["not measured", "see note", "ask Jim"]
    assert infer_semantic_type(values, are_unique=False) is SemanticType.NUMBER
    assert infer_semantic_type(values[80:], are_unique=False) is not SemanticType.NUMBER


def test_long_strings_cost_little():
    values = ["1" * 10**6, "a " * 10**6, " " * 10**6, "1,111" * 10**5]
    assert infer_semantic_type(values, are_unique=False) is SemanticType.FREE_TEXT


# --- columns that tell the network little -----------------------------------------------------


def find_warning(X, sample_weight=None, **parameters):
    """Return what a fit says of the columns, "" for nothing."""
    data = Given(X, None, sample_weight)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_rows(KerasTabularRegressor(**parameters), data, None, "float64", reset=True)
    assert all(warning.category is FeatureTypeWarning for warning in caught)
    assert len(caught) <= 1
    return str(caught[0].message) if caught else ""


DAYS = pd.date_range("2014-02-12", periods=600, freq="h")
TOTALS = RANDOM.uniform(0, 8000, 600).round(2)
FOUND = {
    "numbers": ([" " if v < 60 else str(v) for v in TOTALS], "Numbers in strings: 'x', such as"),
    "numbers that repeat": ([f"{n % 50 / 4}" for n in range(600)], "Numbers in strings"),
    "numbers, some missing": (["N/A", *(f"{n % 50}" for n in range(599))], "Numbers in strings"),
    "units": ([f"{n % 50 / 4} kmpl" for n in range(600)], "such as '0.0 kmpl'"),
    "whole numbers": ([f"{n * 7}" for n in range(600)], "Whole numbers in strings"),
    "times": (DAYS.strftime("%Y-%m-%d %H:%M:%S"), "Dates in strings: 'x', such as '2014-02-12 00"),
    "dates that repeat": (DAYS.strftime("%d/%m/%Y"), "Dates in strings"),
    "identifiers": ([f"A{n:06d}" for n in range(600)], "Identifiers or names: 'x'"),
    "free text": ([f"seen on day {n // 3}" for n in range(600)], "Free text"),
    "long": ([f"{n}" + "a" * 999 for n in range(600)], r"such as '0a{39}\.\.\.'\. "),
}


@pytest.mark.parametrize("name", FOUND)
def test_columns_that_tell_little_are_named(name):
    values, match = FOUND[name]
    X = pd.DataFrame({"x": np.array(values, object), "ok": 1.0})
    found = find_warning(X)
    assert re.search(match, found)
    assert "Got 1 of 2 column(s) that tell the network little" in found
    assert find_warning(pl.from_pandas(X)) == find_warning(pa.Table.from_pandas(X)) == found
    assert find_warning(X.to_numpy()) == found.replace("'x'", "0")


ORDINARY = {
    "a constant": ["a"] * 600,
    "nothing": [None] * 600,
    "nothing but blanks": [" "] * 600,
    "booleans": ["yes", "no"] * 300,
    "digits": ["0", "1"] * 300,
    "ages": [f"{n % 70}" for n in range(600)],
    "postal codes": [f"{10_000 + n % 90}" for n in range(600)],
    "months": [f"20{n % 20:02d}-{n % 12 + 1:02d}" for n in range(600)],
    "a few dates": [f"2020-01-{n % 20 + 1:02d}" for n in range(600)],
    "sizes of shoes": [f"{n % 18 / 2}" for n in range(600)],
    "a long tail": ["often"] * 420 + [f"rare {n}" for n in range(180)],
    "long names of a few": [f"one of the {n % 40} districts" for n in range(600)],
    "few values": [None] * 591 + [f"{n}" for n in range(9)],
    "true booleans": [True, False] * 300,
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_columns_raise_no_alarm(name):
    assert find_warning(pd.DataFrame({"x": pd.Series(ORDINARY[name], dtype=object)})) == ""


def test_columns_of_infrequent_categories_are_named():
    X = pd.DataFrame({"x": [f"value {n // 3}" for n in range(600)]})
    assert find_warning(X) == find_warning(X, min_frequency=3) == ""
    assert "Categories of few rows each: 'x'" in find_warning(X, min_frequency=4)
    assert "or lower min_frequency" in find_warning(X, min_frequency=4)
    assert "Categories of few rows each" in find_warning(X, max_categories=50)
    assert find_warning(X, max_categories=150) == ""


def test_declared_categories_are_only_named_where_they_are_infrequent():
    X = pd.DataFrame({"x": [f"{n % 50 / 4}" for n in range(600)], "n": np.arange(600) % 50})
    declared = {"categorical_features": ["x", "n"]}
    assert find_warning(X, **declared) == find_warning(X.astype("category")) == ""
    X["n"] = X["n"] + RANDOM.normal(size=600)
    assert "Numbers that hardly repeat: 'n', such as" in find_warning(X, **declared)


def test_several_columns_are_one_warning_that_names_some():
    strings = {f"number {n}": TOTALS[n:] for n in range(5)}
    X = pd.DataFrame(
        {name: pd.Series(values[:500]).astype(str) for name, values in strings.items()}
    )
    X["id"] = [f"A{n}" for n in range(500)]
    found = find_warning(X)
    assert "Got 6 of 6 column(s)" in found
    assert "'number 0', 'number 1', 'number 2' and 2 more, such as" in found
    assert found.index("X[name]") < found.index("Identifiers or names: 'id'")


def test_rows_without_weight_count_for_nothing():
    X = pd.DataFrame({"x": [*"ab"] * 50 + [f"A{n}" for n in range(900)]})
    weights = np.repeat([1.0, 0.0], [100, 900])
    assert find_warning(X, weights) == ""
    assert "Identifiers" in find_warning(X) == find_warning(X, np.ones(1_000))


def test_long_columns_are_sampled_at_random():
    # Every second row, or the first ones, would say that all is well, or nothing.
    periodic = ["a", "b"] * 5_000 + [f"A{n}" if n % 2 else "a" for n in range(50_000)]
    assert find_warning(pd.DataFrame({"x": periodic})) == ""
    # In a sample nearly all differ, but each is in five rows.
    frequent = [f"A{n % 10_000}" for n in range(50_000)]
    assert find_warning(pd.DataFrame({"x": frequent})) == ""
    assert "Identifiers" in find_warning(pd.DataFrame({"x": [f"A{n}" for n in range(50_000)]}))


WRITTEN = {
    "plain": [f"{v}" for v in TOTALS],
    "blank": [*(f"{v}" for v in TOTALS[:-1]), " "],
    "thousands": [f"{v:,.2f}" for v in TOTALS],
    "currency": [f"$ {v:,.2f}" for v in TOTALS],
    "unit": [f"{v} km/h" for v in TOTALS],
    "European": [f"{v:,.2f}".translate(str.maketrans(",.", ".,")) for v in TOTALS],
    "spaces": [f"{v:,.2f} kg".translate(str.maketrans(",.", " ,")) for v in TOTALS],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_advice_makes_numbers(name):
    X = pd.DataFrame({"x": WRITTEN[name]})
    [expression] = re.findall(r"Convert them by (.*)\.$", find_warning(X))
    X["x"] = eval(expression)  # noqa: S307 - the advice, to the letter
    expected = np.where(np.array(WRITTEN[name]) == " ", np.nan, TOTALS)
    assert_allclose(X["x"], expected)
    assert find_warning(X) == ""


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%b %d, %Y", "%Y-%m-%dT%H:%M:%S+02:00"])
def test_advice_makes_days(form):
    days = pd.date_range("2014-02-12", periods=100)
    X = pd.DataFrame({"x": days.strftime(form)})
    [expression] = re.findall(r"Convert them, such as by (.*)\.$", find_warning(X))
    X["x"] = eval(expression)  # noqa: S307 - the advice, to the letter
    assert_array_equal(np.diff(X["x"]), 1)
    assert find_warning(X) == ""


def test_a_fit_warns_once_at_the_line_of_the_caller():
    X = pd.DataFrame({"id": [f"A{n}" for n in range(ROWS)], "ok": NUMBERS})
    model = KerasTabularRegressor(**OF_TABLES)
    with pytest.warns(FeatureTypeWarning, match="'id', such as 'A0'") as caught:
        model.fit(X, NUMBERS)
    assert [warning.filename for warning in caught] == [__file__]
    model.predict(X)  # without a warning


def test_a_stream_warns_at_its_first_chunk():
    X = pd.DataFrame({"id": [f"A{n}" for n in range(ROWS)], "ok": NUMBERS})
    reader = Reader(KerasTabularRegressor(), "float64", None, None, is_new=True)
    with pytest.warns(FeatureTypeWarning, match="'id'"):
        reader.read(Given(X[:30], NUMBERS[:30], None))
    reader.read(Given(X[30:], NUMBERS[30:], None))


# --- intervals, dates, periods and times ------------------------------------------------------

EDGES = [-1, 2, 4, 7]
BINS = pd.cut(NUMBERS, EDGES)
NAMES = ["(-1, 2]", "(2, 4]", "(4, 7]"]


@pytest.fixture(scope="module")
def of_bins():
    X = pd.DataFrame({"bin": BINS, "size": NUMBERS})
    return KerasTabularRegressor(**OF_TABLES).fit(X, NUMBERS)


def test_intervals_are_categories(of_bins):
    [category] = of_bins._fitted.table.categories
    assert list(category.values) == NAMES
    new = pd.DataFrame({"bin": pd.cut([1.0, 6.0, 9.0], EDGES), "size": 1.0})
    codes = of_bins.encode(new)[:, -1]
    assert_array_equal(codes[:2], [0, 2])
    other_edges = pd.DataFrame({"bin": pd.cut([1.0], [0, 2]), "size": 1.0})
    assert of_bins.encode(other_edges)[0, -1] not in (0, 1, 2)


@pytest.mark.parametrize(
    "convert",
    [
        lambda bins: bins.astype(object),
        lambda bins: bins.astype(str),
        lambda bins: pd.Series(pd.arrays.IntervalArray(bins)),
        lambda bins: pl.Series("bin", bins.astype(str).tolist(), dtype=pl.Categorical),
    ],
    ids=["objects", "strings", "interval dtype", "Polars"],
)
def test_intervals_are_the_same_wherever_they_come_from(of_bins, convert):
    values = convert(pd.Series(BINS))
    kind = pl.DataFrame if isinstance(values, pl.Series) else pd.DataFrame
    X = kind({"bin": values, "size": NUMBERS})
    expected = pd.DataFrame({"bin": BINS, "size": NUMBERS})
    assert_array_equal(of_bins.encode(X), of_bins.encode(expected))


def test_intervals_go_into_files_and_onnx(of_bins, tmp_path):
    X = pd.DataFrame({"bin": BINS, "size": NUMBERS})
    of_bins.save(tmp_path / "model.skdense")
    assert_array_equal(skdense.load(tmp_path / "model.skdense").predict(X), of_bins.predict(X))
    session = onnxruntime.InferenceSession(skdense.to_onnx(of_bins, X).SerializeToString())
    inputs = {"bin": X["bin"].astype(str).to_numpy(object)[:, np.newaxis]}
    inputs["size"] = NUMBERS[:, np.newaxis].astype(
        np.float32 if "float)" in session.get_inputs()[1].type else np.float64
    )
    assert_allclose(session.run(None, inputs)[0][:, 0], of_bins.predict(X), atol=1e-5)


DATES = pd.to_datetime(["2020-01-01", "2020-01-02", "2021-06-01"])


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (DATES, ["2020-01-01", "2020-01-02", "2021-06-01"]),
        (DATES.date, ["2020-01-01", "2020-01-02", "2021-06-01"]),
        (DATES.to_period("M"), ["2020-01", "2021-06"]),
        (DATES - DATES[0], ["0 days", "1 days", "517 days"]),
        (DATES + pd.Timedelta("1h"), [f"{day} 01:00:00" for day in DATES.date.astype(str)]),
    ],
    ids=["dates", "objects of dates", "periods", "spans of time", "times"],
)
def test_categories_of_dates_are_strings(values, names):
    X = pd.DataFrame({"x": pd.Categorical([*values] * 20)})
    data = Given(X, None, None)
    _, encoder = read_rows(KerasTabularRegressor(), data, None, "float64", reset=True)
    assert list(encoder.categories[0].values) == names


@pytest.mark.parametrize(
    "values",
    [
        DATES,
        DATES.date,
        DATES.to_period("M"),
        DATES - DATES[0],
        [datetime.time(1), datetime.time(2), None],
    ],
    ids=["dates", "objects of dates", "periods", "spans of time", "times"],
)
def test_columns_of_dates_are_refused_with_advice(values):
    X = pd.DataFrame({"when": [*values] * 20})
    with pytest.raises(TypeError, match=r"in column 'when'.*Turn dates into numbers first"):
        KerasTabularRegressor(**OF_TABLES).fit(X, NUMBERS)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([datetime.timedelta(n) for n in range(ROWS)]),
        pa.array([datetime.date(2020, 1, 1 + n % 9) for n in range(ROWS)]).dictionary_encode(),
        pd.Categorical(pd.to_timedelta(np.arange(ROWS) % 5, unit="D")),
    ],
    ids=["Arrow", "Arrow's dictionary", "categories"],
)
def test_dates_are_no_numbers_to_plain_networks(values):
    kind = pd.DataFrame if isinstance(values, pd.Categorical) else pa.table
    with pytest.raises(TypeError, match=r"X must be numbers. Got (duration|date|timedelta)"):
        KerasDenseRegressor(**SMALL).fit(kind({"when": values}), NUMBERS)


# --- numbers that float64 lacks ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["Int128", "UInt128"])
@pytest.mark.parametrize("values", [[0, 1, 2], [2**100, 2**101, 2**102], [None, 1, 2]])
def test_integers_of_128_bits_are_numbers(dtype, values):
    series = pl.Series("x", values, dtype=getattr(pl, dtype))
    [column] = read_table(pl.DataFrame([series]), "X").columns
    expected = [np.nan if value is None else float(value) for value in values]
    assert_array_equal(as_numbers(column), expected)


def test_plain_networks_take_integers_of_128_bits():
    X, y = pl.DataFrame({"x": NUMBERS}), pl.Series(NUMBERS)
    wide = pl.DataFrame({"x": pl.Series(NUMBERS, dtype=pl.Int128)}), y.cast(pl.Int128)
    expected = KerasDenseRegressor(**SMALL).fit(X, y).predict(X)
    model = KerasDenseRegressor(**SMALL).fit(*wide)
    assert_allclose(model.predict(wide[0]), expected, rtol=1e-6)


def test_categories_beyond_int64_are_distinct_and_refused_for_onnx():
    values = [2**100, 2**100 + 1, 2**100 + 2]
    X = pl.DataFrame({"bin": pl.Series(values * 20, dtype=pl.Int128), "size": NUMBERS})
    parameters = OF_TABLES | {"categorical_features": ["bin"]}
    model = KerasTabularRegressor(**parameters).fit(X, NUMBERS)
    assert_array_equal(model.encode(X)[:3, -1], [0, 1, 2])
    with pytest.raises(ValueError, match=r"of column 0 must be integers that int64 holds"):
        skdense.to_onnx(model, X)


@pytest.mark.parametrize(
    "values",
    [
        [decimal.Decimal("1.5"), decimal.Decimal(2)],
        np.array([1.5, 2], np.float16),
        np.array([1.5, 2], np.longdouble),
        pa.array([decimal.Decimal("1.5"), decimal.Decimal(2)]),
    ],
    ids=["decimals", "float16", "longdouble", "Arrow's decimals"],
)
def test_numbers_of_other_precisions_are_read(values):
    kind = pa.table if isinstance(values, pa.Array) else pd.DataFrame
    [column] = read_table(kind({"x": values}), "X").columns
    assert_array_equal(as_numbers(column), [1.5, 2])


def with_infinity(at=3):
    X = np.column_stack([NUMBERS, np.ones(ROWS)])
    X[at, 1] = np.inf
    return X


FRAMES = {
    "pandas": (lambda X: pd.DataFrame(X, columns=["a", "b"]), "'b'"),
    "pandas, nullable": (lambda X: pd.DataFrame(X, columns=["a", "b"]).astype("Float64"), "'b'"),
    "pandas, objects": (lambda X: pd.DataFrame(X, columns=["a", "b"]).astype(object), "'b'"),
    "Polars": (lambda X: pl.DataFrame(X, schema=["a", "b"]), "'b'"),
    "Arrow": (lambda X: pa.table({"a": X[:, 0], "b": X[:, 1]}), "'b'"),
    "NumPy": (lambda X: X, "1"),
    "NumPy, long": (lambda X: X.astype(np.longdouble), "1"),
    "lists": (lambda X: X.tolist(), "1"),
}


@pytest.fixture(scope="module", params=[KerasDenseRegressor, KerasTabularRegressor])
def estimator(request):
    return request.param(**(SMALL if request.param is KerasDenseRegressor else OF_TABLES))


def alone(estimator):
    """Parameters with which `X_val` is taken."""
    of_several = {"n_estimators": 2, "validation_fraction": None, "early_stopping": False}
    is_table = isinstance(estimator, KerasTabularRegressor)
    return of_several | {"scoring": "loss"} if is_table else {}


def fresh(estimator, **parameters):
    return type(estimator)(**estimator.get_params() | parameters)


@pytest.mark.parametrize("name", FRAMES)
def test_infinity_names_its_column(estimator, name):
    make, label = FRAMES[name]
    bad = make(with_infinity())
    match = f"contains infinity .* in column {label}, first in row 3. {{}} must have finite.*lip it"
    with pytest.raises(ValueError, match=match.format("X")):
        fresh(estimator).fit(bad, NUMBERS)
    with pytest.raises(ValueError, match=match.format("X")):
        fresh(estimator).partial_fit(bad, NUMBERS)
    good = make(with_infinity(at=slice(0)))
    with pytest.raises(ValueError, match=match.format("X_val")):
        fresh(estimator, **alone(estimator)).fit(good, NUMBERS, X_val=bad, y_val=NUMBERS)


@pytest.fixture(scope="module")
def fitted(estimator):
    return fresh(estimator).fit(pd.DataFrame({"a": NUMBERS, "b": 1.0}), NUMBERS)


@pytest.mark.parametrize("name", ["pandas", "Polars", "Arrow"])
def test_infinity_names_its_column_at_prediction(fitted, name):
    make, label = FRAMES[name]
    with pytest.raises(ValueError, match=f"in column {label}, first in row 3"):
        fitted.predict(make(with_infinity()))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
def test_infinity_names_its_column_in_arrays_at_prediction(fitted):
    with pytest.raises(ValueError, match="in column 1, first in row 3"):
        fitted.predict(with_infinity())


def test_infinity_in_sparse_arrays_names_its_column():
    with pytest.raises(ValueError, match="in column 1, first in row 3"):
        KerasDenseRegressor(**SMALL).fit(csr_array(with_infinity()), NUMBERS)


def test_infinity_far_down_is_found():
    X = np.zeros((25_000, 3), np.float32)
    X[24_000, 2] = -np.inf
    with pytest.raises(ValueError, match="in column 2, first in row 24000"):
        KerasDenseRegressor(**SMALL).fit(X, X[:, 0])


@pytest.mark.filterwarnings("ignore::skdense.FeatureScaleWarning")
def test_numbers_beyond_float32_name_their_column(estimator):
    X = pd.DataFrame({"a": NUMBERS, "b": NUMBERS * 1e300})
    match = r"too large for dtype\('float32'\) in column 'b', first in row 1.*need dtype='float64'"
    with pytest.raises(ValueError, match=match):
        fresh(estimator, dtype="float32").fit(X, NUMBERS)


@pytest.mark.parametrize("value", [10**400, decimal.Decimal("1e400")])
def test_numbers_beyond_float64_name_their_column(estimator, value):
    X = pd.DataFrame({"a": NUMBERS, "b": pd.Series([value] * ROWS, dtype=object)})
    with pytest.raises(ValueError, match=r"X .*float64.* in column 'b'"):
        fresh(estimator).fit(X, NUMBERS)


def test_an_infinite_y_is_not_blamed_on_x(estimator):
    y = np.where(NUMBERS == 3, np.inf, NUMBERS)
    with pytest.raises(ValueError, match="Input y contains infinity"):
        fresh(estimator).fit(pd.DataFrame({"a": NUMBERS}), y)


# --- frames without rows in memory ------------------------------------------------------------

LAZY = {
    "Dask": (lambda frame: dd.from_pandas(frame, npartitions=2), r"compute\(\)"),
    "Dask, delayed": (lambda frame: dask.delayed(frame), r"compute\(\)"),
    "Dask, unknown length": (
        lambda frame: dd.from_pandas(frame, npartitions=2).values,
        r"compute\(\)",
    ),
    "Polars": (lambda frame: pl.DataFrame({"a": frame.to_numpy().ravel()}).lazy(), r"collect\(\)"),
}


@pytest.mark.parametrize("argument", ["X", "y", "sample_weight", "groups", "X_val", "y_val"])
@pytest.mark.parametrize("name", LAZY)
def test_lazy_frames_say_how_to_collect(estimator, name, argument):
    make, collect = LAZY[name]
    X, y = pd.DataFrame({"a": NUMBERS}), pd.Series(NUMBERS)
    arguments = {"X": X, "y": y, "sample_weight": y + 1, "groups": y}
    parameters = {"n_estimators": 2, "validation_fraction": "folds", "early_stopping": True}
    if argument.endswith("_val"):
        arguments = {"X": X, "y": y, "X_val": X, "y_val": y}
        parameters = alone(estimator)
    arguments[argument] = make(arguments[argument])
    match = (
        rf"^{argument} must have its rows in memory. Got .* Call its {collect}, or .*partial_fit"
    )
    with pytest.raises(TypeError, match=match):
        fresh(estimator, **parameters).fit(**arguments)


@pytest.mark.parametrize("name", LAZY)
def test_lazy_frames_at_prediction_and_in_streams(fitted, name):
    make, collect = LAZY[name]
    X = pd.DataFrame({"a": NUMBERS, "b": 1.0})
    lazy = X.pipe(make) if name != "Polars" else pl.from_pandas(X).lazy()
    with pytest.raises(
        TypeError, match=f"^X must .* Call its {collect}, or predict each partition"
    ):
        fitted.predict(lazy)
    with pytest.raises(TypeError, match=f"^X must .* Call its {collect}"):
        fresh(fitted).partial_fit(lazy, NUMBERS)


def test_arrays_of_dask_are_arrays(fitted):
    X = np.column_stack([NUMBERS, np.ones(ROWS)])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        expected = fitted.predict(X)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert_array_equal(fitted.predict(da.from_array(X, chunks=20)), expected)


def test_classes_of_a_lazy_frame_say_how_to_collect():
    y = dd.from_pandas(pd.Series(["a", "b"] * 30), npartitions=2)
    with pytest.raises(TypeError, match=r"^y must have its rows in memory"):
        KerasTabularClassifier(**OF_TABLES).fit(pd.DataFrame({"a": NUMBERS}), y)
