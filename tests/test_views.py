"""Every view of a fitted model gives the same predictions, for random frames of every dtype.

Few frames by default; ``SKDENSE_VIEW_FRAMES=300`` is what the nightly job runs.
"""

import os
import pickle
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import skdense
from skdense import KerasDenseRegressor, KerasTabularClassifier, KerasTabularRegressor
from skdense._tables.encoder import find_categories, learn_table
from skdense._tables.reading import read_table

N_FRAMES = int(os.environ.get("SKDENSE_VIEW_FRAMES", "10"))
N_ROWS, N_TRAINED = 100, 70
SETTINGS = {"units": 4, "depth": 1, "epochs": 2, "n_estimators": 2, "random_state": 0}
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:skl2onnx"),
    pytest.mark.filterwarnings("ignore:Column 'strings .*' has the categories:UserWarning"),
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
    ),
]

# --- random columns: how many of each kind is fixed, so that frames share compiled programs -----

OFFSETS = [0, 1, -1e3, 1.7e9, 1e12, -1e15]
UNITS = [1e-300, 1e-30, 1e-12, 1e-3, 1, 1e3, 1e12, 1e30, 1e300]


def far(rng):
    """A few units around an offset."""
    offset = rng.choice(OFFSETS)
    return offset + (abs(offset) or 1) * 10.0 ** -rng.integers(0, 13) * rng.standard_normal(N_ROWS)


def scaled(rng):
    return rng.choice(UNITS) * rng.standard_normal(N_ROWS)


def of_all_magnitudes(rng):
    return 10 ** rng.uniform(-12, 12, N_ROWS) * rng.choice([-1, 1], N_ROWS)


def heavy(rng):
    """Mostly zeros."""
    return np.where(rng.random(N_ROWS) < 0.7, 0, rng.lognormal(size=N_ROWS))


def single(rng):
    return (rng.choice([0, 100, 1e6]) + rng.standard_normal(N_ROWS)).astype(np.float32)


def largest(rng):
    """Up to the ends of float64."""
    return np.finfo(float).max * rng.uniform(-1, 1, N_ROWS)


def integers(rng):
    start = 2 ** int(rng.choice([0, 3, 24, 40, 53, 61]))
    return start + rng.integers(0, 2 ** int(rng.integers(2, 30)), N_ROWS)


def booleans(rng):
    return deal(rng, [True, False])


def strings(rng):
    return deal(rng, [*rng.permutation(["", "a", "B", "ä", "c d", "1", "1.0", "nan"])[1:5], "z"])


def categories_of_integers(rng):
    start = 2 ** int(rng.choice([0, 24, 53, 60]))
    return deal(rng, [start + n for n in range(5)])


def deal(rng, values):
    """As often each, so that the number of codes is known."""
    dealt = np.arange(N_TRAINED) % len(values)
    others = rng.integers(len(values), size=N_ROWS - N_TRAINED)
    return np.array([values[n] for n in (*rng.permutation(dealt), *others)], object)


NUMBERS = [far, far, scaled, of_all_magnitudes, heavy, single, largest, integers, integers]
CATEGORIES = [booleans, strings, strings, categories_of_integers]


def make_columns(seed):
    """Return the values of each column as Python has them, None where they are missing."""
    rng = np.random.default_rng(seed)
    columns = {}
    for number, kind in enumerate([*NUMBERS, *CATEGORIES]):
        values = kind(rng).tolist()
        values = [None if value == "" else value for value in values]
        if number % 2:  # the same ones in every frame
            gaps = rng.random(N_ROWS) < 0.1
            gaps[0] = True
            values = [None if gap else value for gap, value in zip(gaps, values, strict=True)]
        columns[f"{kind.__name__} {number}"] = values
    return columns


def kind_of(name):
    return name.rpartition(" ")[0]


def is_category(name):
    return kind_of(name) in {kind.__name__ for kind in CATEGORIES}


def type_of(name):
    """Return the type of Arrow."""
    return {
        "single": pa.float32(),
        "integers": pa.int64(),
        "booleans": pa.bool_(),
        "strings": pa.string(),
        "categories_of_integers": pa.int64(),
    }.get(kind_of(name), pa.float64())


# --- the same table in every library --------------------------------------------------------


def as_pandas(columns):
    def series(name, values):
        if kind_of(name) == "categories_of_integers":
            return pd.Series(pd.Categorical(values))
        if is_category(name):
            return pd.Series(values, dtype=object)
        dtype = np.float32 if kind_of(name) == "single" else np.float64
        if kind_of(name) == "integers" and None not in values:
            dtype = np.int64
        return pd.Series([np.nan if v is None else v for v in values], dtype=dtype)

    return pd.DataFrame({name: series(name, values) for name, values in columns.items()})


def as_nullable(columns):
    dtypes = {pa.float32(): "Float32", pa.float64(): "Float64", pa.int64(): "Int64"}
    dtypes |= {pa.bool_(): "boolean", pa.string(): "string"}
    frame = {name: pd.Series(v, dtype=dtypes[type_of(name)]) for name, v in columns.items()}
    return pd.DataFrame(
        {n: s.astype("category") if "categor" in n else s for n, s in frame.items()}
    )


def arrow_array(name, values):
    array = pa.array(values, type_of(name))
    return array.dictionary_encode() if "categor" in name or name.endswith("11") else array


def as_arrow(columns):
    return pa.table({name: arrow_array(name, values) for name, values in columns.items()})


def as_pandas_of_arrow(columns):
    return pd.DataFrame(
        {
            name: pd.Series(array, dtype=pd.ArrowDtype(array.type))
            for name, values in columns.items()
            for array in [arrow_array(name, values)]
        }
    )


def as_polars(columns):
    dtypes = {pa.float32(): pl.Float32, pa.float64(): pl.Float64, pa.int64(): pl.Int64}
    dtypes |= {pa.bool_(): pl.Boolean, pa.string(): pl.String}
    series = {n: pl.Series(n, values, dtypes[type_of(n)]) for n, values in columns.items()}
    return pl.DataFrame(
        {n: s.cast(pl.Categorical) if n.endswith("11") else s for n, s in series.items()}
    )


LIBRARIES = [as_pandas, as_nullable, as_arrow, as_pandas_of_arrow, as_polars]


def as_matrix(columns):
    """Return the numbers as an array, with 0 where they are missing."""
    known = {name: values for name, values in columns.items() if not is_category(name)}
    return np.array([[v or 0 for v in values] for values in known.values()], np.float64).T


# --- the views ------------------------------------------------------------------------------------


def inputs_of(session, columns):
    dtypes = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(int64)": np.int64}

    def array(given):
        values, is_string = columns[given.name], given.type == "tensor(string)"
        values = [("" if is_string else np.nan) if v is None else v for v in values]
        return np.array(values, object if is_string else dtypes[given.type])[:, np.newaxis]

    return {given.name: array(given) for given in session.get_inputs()}


def run_onnx(model, sample, inputs):
    session = onnxruntime.InferenceSession(skdense.to_onnx(model, sample).SerializeToString())
    return session.run(None, inputs if isinstance(inputs, dict) else inputs_of(session, *inputs))


def learn_and_encode(frame, names):
    table = read_table(frame, "X")
    weights = (np.arange(table.n_rows) < N_TRAINED).astype(float)
    is_category = find_categories(table, names)
    encoder = learn_table(table, weights, is_category, min_frequency=2, max_categories=None)
    return encoder.encode(table, "float64")


def predict(model, X):
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return model.predict_quantiles(X) if model._fitted.target.quantiles else model.predict(X)


def fit_quietly(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of columns that are of little use
        return model.fit(X, y)


def assert_views_agree(model, X, matrix, onnx_inputs, scale, tmp_path):
    expected = predict(model, X)
    within = {"rtol": 0, "atol": 1e-5 * scale}
    by_keras = np.asarray(model.to_keras()(matrix))
    assert_allclose(by_keras.reshape(expected.shape), expected, **within)
    *_, by_onnx = run_onnx(model, X, onnx_inputs)
    assert_allclose(by_onnx.reshape(expected.shape), expected, **within)
    model.save(tmp_path / "model.skdense")
    unpickled = pickle.loads(pickle.dumps(model))  # noqa: S301 - made a moment ago
    for twin in (skdense.load(tmp_path / "model.skdense"), unpickled):
        assert_array_equal(predict(twin, X), expected)


# Some columns have the category "nan", as which onnxruntime reads None too.
@pytest.mark.filterwarnings("ignore:Column .* has the categories:UserWarning")
@pytest.mark.parametrize("seed", range(N_FRAMES))
def test_views_agree_on_random_frames(seed, tmp_path):
    columns = make_columns(seed)
    names = [name for name in columns if is_category(name)]
    frames = [make(columns) for make in LIBRARIES]
    matrices = [learn_and_encode(frame, names) for frame in frames]
    for make, matrix in zip(LIBRARIES, matrices, strict=True):
        assert_array_equal(matrix, matrices[0], err_msg=make.__name__)

    rng = np.random.default_rng([seed, 1])
    frame, y = frames[seed % len(frames)], rng.standard_normal(N_ROWS)
    if seed % 4 == 3:
        X = as_matrix(columns)
        model = KerasDenseRegressor(**SETTINGS, input_scaling="robust")
        fit_quietly(model, X[:N_TRAINED], y[:N_TRAINED])
        assert_views_agree(model, X, X, {"X": X}, y.std(), tmp_path)
        return
    classes = np.array(["no", "yes", "perhaps"])[rng.integers(3, size=N_ROWS)]
    settings = SETTINGS | {"categorical_features": names}
    settings |= {"quantiles": (0.1, 0.9)} if seed % 4 == 2 else {}
    kind = KerasTabularClassifier if seed % 4 == 1 else KerasTabularRegressor
    model = kind(**settings)
    fit_quietly(model, frame[:N_TRAINED], (classes if seed % 4 == 1 else y)[:N_TRAINED])
    expected = predict(model, frame)
    for make, other in zip(LIBRARIES, frames, strict=True):
        assert_array_equal(predict(model, other), expected, err_msg=make.__name__)
    inputs = (columns,)
    assert_views_agree(model, frame, model.encode(frame), inputs, y.std(), tmp_path)
