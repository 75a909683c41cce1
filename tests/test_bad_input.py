"""Unusable data and parameters: the error says what was required, what came, and what to do."""

import contextlib
import os
import re
import subprocess
import sys
from functools import partial
from textwrap import dedent

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import OneHotEncoder
from tensorflow.errors import ResourceExhaustedError

from skdense import (
    FeatureScaleWarning,
    KerasDenseClassifier,
    KerasDenseRegressor,
    SlowEngineWarning,
)
from skdense._backend import loading
from skdense._problem.data_checks import warn_about_scale

ROWS = 24
X = np.random.default_rng(0).normal(size=(ROWS, 3))
NUMBERS = X @ [2.0, -1.0, 0.5]
CLASSES = (NUMBERS > 0).astype(int)
WEIGHTS = np.ones(ROWS)
TARGETS = {KerasDenseClassifier: CLASSES, KerasDenseRegressor: NUMBERS}
CLASSES_OF = {KerasDenseClassifier: {"classes": [0, 1]}, KerasDenseRegressor: {}}
SMALL = {"units": 4, "depth": 1, "epochs": 2, "random_state": 0}
SMALL |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before

both = pytest.mark.parametrize("kind", [KerasDenseClassifier, KerasDenseRegressor])
engines = pytest.mark.parametrize("engine", ["compiled", "keras"])


def small(kind, **parameters):
    return kind(**SMALL | parameters)


def with_value(array, value):
    """Return a copy of the array whose entry in the middle is another."""
    array = array.astype(np.result_type(array, type(value)))
    array[len(array) // 2] = value
    return array


def with_none(array):
    """Return the array as objects, the first of which is None."""
    return np.array([None, *array[1:]], object)


def assert_fit_fails(network, *data, match, error=ValueError):
    before = vars(network).copy()
    with pytest.raises(error, match=match):
        network.fit(*data)
    assert vars(network) == before


# --- X -----------------------------------------------------------------------------------

TEXT = "of numbers. Got text: could not convert string to float: 'red'. .* KerasTabular"

BAD_X = {
    "nan": (with_value(X, np.nan), "X contains NaN"),
    "infinity": (with_value(X, np.inf), "X contains infinity"),
    "sparse nan": (csr_array(with_value(X, np.nan)), "X contains NaN"),
    "1-D": (X[:, 0], "Expected 2D array, got 1D array"),
    "3-D": (X[np.newaxis], "array with dim 3"),
    "one row too few": (X[1:], r"inconsistent numbers of samples: \[23, 24\]"),
    "no features": (X[:, :0], r"0 feature\(s\).* while a minimum of 1 is required"),
    "text array": (np.full((ROWS, 3), "red", object), TEXT),
    "text column": (
        pd.DataFrame({"size": X[:, 0], "colour": ["red"] * ROWS}),
        TEXT,
    ),
    "complex": (X + 1j, "Complex data not supported"),
}


DATES = np.arange("2020-01-01", "2020-01-25", dtype="datetime64[D]")
NOT_NUMBERS = {
    "dates": (np.c_[DATES, DATES, DATES], TypeError, r"X must be numbers. Got datetime64\[d\]"),
    "times": (np.c_[DATES, DATES, DATES] - DATES[0], TypeError, "X must be .* Got timedelta64"),
    "column of dates": (
        pd.DataFrame({"a": X[:, 0], "day": DATES, "b": X[:, 1]}),
        TypeError,
        "X must be numbers. Got datetime64",
    ),
    "objects of dates": (
        np.array([list(pd.to_datetime(DATES))] * 3).T,
        TypeError,
        "X.* of numbers. .* not 'Timestamp'",
    ),
    "objects of dicts": (np.full((ROWS, 3), {}), TypeError, "X.* of numbers. .* not 'dict'"),
    "whole numbers beyond float64": (
        [[10**400, 0, 0]] * ROWS,
        ValueError,
        "X must have numbers that float64 holds in column 0. Got one beyond float64",
    ),
}


@both
@pytest.mark.parametrize("name", NOT_NUMBERS)
def test_x_of_no_numbers(kind, name):
    bad, error, match = NOT_NUMBERS[name]
    assert_fit_fails(small(kind), bad, TARGETS[kind], match=match, error=error)
    network = small(kind).fit(X, TARGETS[kind])
    if hasattr(bad, "columns"):
        network.feature_names_in_ = np.array(bad.columns, object)
    with pytest.raises(error, match=match):
        network.predict(bad)


def broken(form, part, at, value):
    """Return a sparse array in which one number of a part is another."""
    array = csr_array(np.ones((ROWS, 4))).asformat(form)
    if form == "bsr":
        array = array.tobsr((2, 2))
    getattr(array, part)[at] = value
    return array


def with_short(part):
    array = csr_array(np.ones((ROWS, 4)))
    setattr(array, part, getattr(array, part)[:5])
    return array


BROKEN = {
    **{
        f"{form} {part} {value}": broken(form, part, 3, value)
        for form in ("csr", "csc", "bsr")
        for part, value in [("indices", 10**6), ("indices", -1), ("indptr", 10**6), ("indptr", -1)]
    },
    "start": broken("csr", "indptr", 0, 1),
    "end": broken("csr", "indptr", -1, 10**6),
    "coo row": broken("coo", "row", 3, 10**6),
    "coo column": broken("coo", "col", 3, -1),
    "lil": broken("lil", "rows", 3, [10**6, 1, 2, 3]),
    "few indices": with_short("indices"),
    "few values": with_short("data"),
    "few starts": with_short("indptr"),
}


# Where SciPy read and wrote far outside of its arrays, and the process ended with them.
@pytest.mark.parametrize("name", BROKEN)
def test_sparse_arrays_with_indices_out_of_range(name):
    dense, bad = np.ones((ROWS, 4)), BROKEN[name]
    match = r"must be a sparse array whose indices lie within its shape, \(24, 4\)"
    network = small(KerasDenseRegressor)
    assert_fit_fails(network, bad, NUMBERS, match=f"X {match}")
    with pytest.raises(ValueError, match=f"X_val {match}"):
        network.fit(dense, NUMBERS, X_val=bad, y_val=NUMBERS)
    with pytest.raises(ValueError, match=f"X {match}"):
        network.partial_fit(bad, NUMBERS)
    with pytest.raises(ValueError, match=f"X {match}"):
        network.fit(dense, NUMBERS).predict(bad)
    assert_fit_fails(small(KerasDenseClassifier), X, bad, match=f"y {match}")


@engines
@pytest.mark.filterwarnings("ignore::skdense.FeatureScaleWarning")
def test_a_memory_map_beyond_float32(tmp_path, engine):
    def in_file(array):
        np.save(tmp_path / f"{len(array)}.npy", array)
        return np.load(tmp_path / f"{len(array)}.npy", mmap_mode="r")

    large = in_file(with_value(np.ones((100, 3)), 1.0) * np.r_[np.ones(99), 1e300][:, np.newaxis])
    match = r"X and X_val must be numbers that float32 can hold. Got .* up to 1e\+300"
    network = small(KerasDenseRegressor, engine=engine)
    assert_fit_fails(network, large, np.arange(100), match=match)
    with pytest.raises(ValueError, match=match):
        network.fit(in_file(np.ones((99, 3))), np.arange(99), X_val=large, y_val=np.arange(100))


@both
@pytest.mark.parametrize("name", BAD_X)
def test_unusable_x(kind, name):
    bad, match = BAD_X[name]
    assert_fit_fails(small(kind), bad, TARGETS[kind], match=match)


@both
@pytest.mark.parametrize("n_rows", [0, 1])
def test_too_few_rows(kind, n_rows):
    match = rf"{n_rows} sample\(s\).* while a minimum of 2 is required"
    assert_fit_fails(small(kind), X[:n_rows], TARGETS[kind][:n_rows], match=match)


# NumPy's remarks on casting and adding up what scikit-learn's check then refuses.
ignore_overflow = pytest.mark.filterwarnings(
    "ignore:(overflow|invalid value) encountered:RuntimeWarning"
)


@both
@ignore_overflow
def test_x_beyond_float32_when_float32_is_asked_for(kind):
    match = r"X contains infinity or a value too large for dtype\('float32'\)"
    assert_fit_fails(small(kind, dtype="float32"), X * 1e300, TARGETS[kind], match=match)


@both
@ignore_overflow
@pytest.mark.filterwarnings(
    "ignore::skdense.FeatureScaleWarning"  # the scale is warned about before the cast fails
)
def test_x_beyond_float32_when_auto_means_float32(kind):
    match = r"X contains infinity or a value too large for dtype\('float32'\)"
    assert_fit_fails(small(kind, batch_size=8), X * 1e300, TARGETS[kind], match=match)


# --- y -----------------------------------------------------------------------------------

BAD_CLASSES = {
    "none": (None, "requires y to be passed"),
    "too short": (CLASSES[:5], r"inconsistent numbers of samples: \[24, 5\]"),
    "nan": (with_value(CLASSES, np.nan), "y contains NaN"),
    "infinity": (with_value(CLASSES, np.inf), "y contains infinity"),
    "continuous": (NUMBERS, "Unknown label type: continuous"),
    "multiclass-multioutput": (
        np.c_[np.arange(ROWS) % 3, CLASSES],
        r"Got 2 columns of several classes .*Wrap .* in sklearn.multioutput.MultiOutputClassifier",
    ),
    "multiclass-multioutput, text": (
        np.array([["red", "small"], ["green", "large"], ["blue", "small"]] * (ROWS // 3), object),
        "Got 2 columns of several classes .*MultiOutputClassifier",
    ),
    "two columns of numbers": (X[:, :2], "Unknown label type: continuous-multioutput"),
    "3-D": (np.zeros((ROWS, 2, 2)), "array with dim 3"),
    "complex": (CLASSES + 1j, "Complex data not supported"),
    "one class": (CLASSES * 0 + 7, "at least 2 classes.* Got one class: 7"),
    "one class, text": (np.full(ROWS, "cat"), "at least 2 classes.* Got one class: 'cat'"),
}


@pytest.mark.parametrize("name", BAD_CLASSES)
def test_unusable_classes(name):
    bad, match = BAD_CLASSES[name]
    assert_fit_fails(small(KerasDenseClassifier), X, bad, match=match)


BAD_NUMBERS = {
    "none": (None, "requires y to be passed"),
    "too short": (NUMBERS[:5], r"inconsistent numbers of samples: \[24, 5\]"),
    "nan": (with_value(NUMBERS, np.nan), "y contains NaN"),
    "infinity": (with_value(NUMBERS, np.inf), "y contains infinity"),
    "two columns, nan": (with_value(X[:, :2], np.nan), "y contains NaN"),
    "text": (np.full(ROWS, "cheap"), "could not convert string to float: .*'cheap'"),
    "3-D": (np.zeros((ROWS, 2, 2)), "array with dim 3"),
    "no columns": (np.zeros((ROWS, 0)), r"0 feature\(s\).* minimum of 1 is required"),
    "complex": (NUMBERS + 1j, "Complex data not supported"),
    "complex objects": ((NUMBERS + 1j).astype(object), "y must be numbers. Got object: .*complex"),
    "no number": (with_none(NUMBERS), "y must be numbers. Got object: .* not 'NoneType'"),
    "objects of dates": (pd.to_datetime(DATES).astype(object), "y must be numbers.*'Timestamp'"),
    "objects of dicts": (np.full(ROWS, {}), "y must be numbers. Got object: .* not 'dict'"),
    "objects of nan": (with_value(NUMBERS, np.nan).astype(object), "contains NaN"),
    "text of nan": (np.full(ROWS, "nan"), "y contains NaN"),
    "text of bytes": (np.full(ROWS, b"cheap"), "y must be numbers.*could not convert .*'cheap'"),
    "text in a column": (
        pd.DataFrame({"a": NUMBERS, "b": ["cheap"] * ROWS}),
        "y must be numbers.*could not convert string to float: 'cheap'",
    ),
    "named fields": (np.zeros(ROWS, [("a", float)]), r"y must be numbers. Got \[\('a', '<f8'\)\]"),
    "beyond float64": ([10**400] * ROWS, "y must be numbers.* too large to convert to float"),
    "variance": (1e155 * NUMBERS, "y must have a variance that float64 can hold. Got .*e.155"),
    "outlier": (with_value(NUMBERS, 1e160), "y must have a variance .* Got .* 1e.160. Divide"),
    "ends of float64": (1e308 * np.sign(NUMBERS), "y must have a variance .* 1e.308. Divide"),
}


@pytest.mark.parametrize("name", BAD_NUMBERS)
def test_unusable_numbers(name):
    bad, match = BAD_NUMBERS[name]
    assert_fit_fails(small(KerasDenseRegressor), X, bad, match=match)


@pytest.mark.parametrize(
    "dates",
    [DATES, DATES - DATES[0], pd.Series(DATES), pd.DataFrame({"a": NUMBERS, "day": DATES})],
    ids=["dates", "times", "Series", "column"],
)
def test_dates_as_numbers(dates):
    match = "y must be numbers. Got (datetime|timedelta)64.* Turn dates into numbers"
    assert_fit_fails(small(KerasDenseRegressor), X, dates, match=match, error=TypeError)


@pytest.mark.parametrize("convert", [str, np.float64], ids=["text", "numbers"])
@pytest.mark.parametrize("dtype", [None, object])
def test_numbers_may_be_written_out(convert, dtype):
    written = np.array([convert(number) for number in NUMBERS], dtype)
    expected = small(KerasDenseRegressor).fit(X, NUMBERS).predict(X)
    assert_array_equal(small(KerasDenseRegressor).fit(X, written).predict(X), expected)


@both
def test_sparse_y(kind):
    sparse = csr_array(CLASSES[:, np.newaxis].astype(float))
    match = "dense.*toarray"
    assert_fit_fails(small(kind), X, sparse, match=match, error=TypeError)


@ignore_overflow
@pytest.mark.parametrize("standardize_target", [True, False])
def test_numbers_beyond_float32_when_float32_is_asked_for(standardize_target):
    network = small(KerasDenseRegressor, dtype="float32", standardize_target=standardize_target)
    match = "y contains .*a value too large|y must .* Got"
    assert_fit_fails(network, X, NUMBERS * 1e300, match=match)


def test_column_of_classes_is_flattened_with_a_warning():
    network = small(KerasDenseClassifier)
    with pytest.warns(UserWarning, match="column-vector y was passed when a 1d array"):
        network.fit(X, CLASSES[:, np.newaxis])
    assert network.predict(X).shape == (ROWS,)


# --- sample weights ----------------------------------------------------------------------

BAD_WEIGHTS = {
    "one negative": (with_value(WEIGHTS, -2.0), r"sample_weight must not be negative. Got -2\.0"),
    "negative number": (-1.0, r"sample_weight must not be negative. Got -1\.0"),
    "all zero": (WEIGHTS * 0, "sample_weight must have a positive value. Got only zeros"),
    "zero": (0, "sample_weight must have a positive value. Got only zeros"),
    "nan": (with_value(WEIGHTS, np.nan), "sample_weight contains NaN"),
    "infinity": (with_value(WEIGHTS, np.inf), "sample_weight contains infinity"),
    "column": (WEIGHTS[:, np.newaxis], r"sample_weight must be a 1-D array. Got shape \(24, 1\)"),
    "too short": (WEIGHTS[:5], "sample_weight.*5"),
    "text": ("balanced", "could not convert string to float: 'balanced'"),
    "beyond float64": (10**400, "sample_weight must be numbers. Got one beyond float64"),
    "one beyond float64": ([10**400] * ROWS, "sample_weight must be numbers. Got one beyond"),
    "complex": (WEIGHTS + 1j, "Complex data not supported"),
}


@both
@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_unusable_sample_weights(kind, name):
    bad, match = BAD_WEIGHTS[name]
    assert_fit_fails(small(kind), X, TARGETS[kind], bad, match=match)


@both
@ignore_overflow
def test_sample_weights_whose_sum_overflows_are_an_error_or_learned_from(kind):
    network = small(kind)
    try:
        losses = network.fit(X, TARGETS[kind], WEIGHTS * 1e308).loss_curve_
    except ValueError as error:
        assert "sample_weight" in str(error)  # noqa: PT017 - either outcome will do
    else:
        assert losses == network.fit(X, TARGETS[kind]).loss_curve_


def test_an_exposure_of_zero_is_no_row():
    X = np.linspace(-1, 1, 40).reshape(-1, 1)
    exposure, events = np.arange(40) % 5, np.arange(40) % 3 * (np.arange(40) % 5)
    network = KerasDenseRegressor(units=4, epochs=2, loss="poisson", random_state=0)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="NaN"):
        network.fit(X, events / exposure, exposure)
    rates = np.divide(events, exposure, out=np.zeros(40), where=exposure > 0)
    predicted = network.fit(X, rates, exposure).predict(X)
    seen = exposure > 0
    np.testing.assert_allclose(
        predicted, network.fit(X[seen], rates[seen], exposure[seen]).predict(X), 1e-6
    )


def test_one_class_left_after_dropping_rows_of_weight_zero():
    match = "at least 2 classes, with positive weight. Got one class: 1"
    weights = CLASSES.astype(float)
    assert_fit_fails(small(KerasDenseClassifier), X, CLASSES, weights, match=match)


# --- parameters --------------------------------------------------------------------------


def halved(x):
    return x[:, ::2]


def flat_kernel(shape, dtype=None):
    return keras.ops.zeros(shape[0], dtype)


def domain(name, got):
    """Return scikit-learn's message for a parameter out of its domain."""
    return rf"'{name}' parameter of KerasDense\w+ must be .* Got {got}"


NUMERIC = {
    *("units", "depth", "dropout", "l1", "l2", "learning_rate", "weight_decay", "clipnorm"),
    *("batch_size", "epochs", "validation_fraction", "patience", "min_delta", "verbose"),
    "random_state",
}


class Unhashable:
    __hash__ = None

    def __call__(self, x):
        return x


BAD_PARAMETERS = [
    # units and depth
    ({"units": -1}, domain("units", -1)),
    ({"units": 0}, domain("units", 0)),
    ({"units": 2.5}, domain("units", r"2\.5")),
    ({"units": "many"}, domain("units", "'many'")),
    ({"units": None}, domain("units", None)),
    ({"units": True}, "units must be whole numbers of at least 1. Got True"),
    ({"units": (4, True), "depth": None}, "units must be whole numbers.* Got True"),
    ({"units": (4, 0), "depth": None}, "units must be whole numbers of at least 1. Got 0"),
    ({"units": (4, -3), "depth": None}, "units must be whole numbers of at least 1. Got -3"),
    ({"units": (4, 2.5), "depth": None}, r"units must be whole numbers.* Got 2\.5"),
    ({"units": (4, "4"), "depth": None}, "units must be whole numbers.* Got '4'"),
    ({"units": np.array([[4, 4]]), "depth": None}, r"units must be whole numbers.* Got array"),
    ({"units": np.array(4)}, "units.* must be"),
    ({"units": (4, 4), "depth": 3}, r"Got depth=3 and 2 widths.* Leave depth=None"),
    ({"units": (), "depth": 1}, r"Got depth=1 and 0 widths.* Leave depth=None"),
    ({"depth": -1}, domain("depth", -1)),
    ({"depth": 1.5}, domain("depth", r"1\.5")),
    # activation
    ({"activation": "rellu"}, "activation must be a name.* Got 'rellu'. Did you mean 'relu'"),
    ({"activation": "zzz"}, r"activation must be a name that Keras knows.* Got 'zzz'\.$"),
    ({"activation": "glu"}, r"activation must keep the shape.* Got 'glu'.*\(2, 4\) into \(2, 2\)"),
    ({"activation": halved}, r"activation must keep the shape.*halved.*\(2, 4\) into \(2, 2\)"),
    ({"activation": keras.layers.PReLU()}, "need no weights of its own. Got <PReLU"),
    ({"activation": keras.layers.Dense(4)}, "need no weights of its own. Got <Dense"),
    ({"activation": 3}, domain("activation", 3)),
    ({"activation": None}, domain("activation", None)),
    ({"activation": [3]}, "activation must be a Keras name or a callable. Got 3"),
    ({"activation": ["relu", "tan"], "depth": 2}, "Got 'tan'. Did you mean 'tanh'"),
    ({"activation": ["relu", "elu"], "depth": 3}, "Got 2 values, .* for 3 hidden layers"),
    ({"activation": ["relu"], "units": (4, 3), "depth": None}, "Got 1 values.* for 2 hidden"),
    # dropout
    ({"dropout": 1.0}, domain("dropout", r"1\.0")),
    ({"dropout": -0.1}, domain("dropout", r"-0\.1")),
    ({"dropout": np.nan}, domain("dropout", "nan")),
    ({"dropout": "half"}, domain("dropout", "'half'")),
    ({"dropout": (0.1, 1.0), "depth": 2}, r"dropout must be rates.* below 1. Got 1\.0"),
    ({"dropout": (0.1, np.nan), "depth": 2}, "dropout must be rates.* below 1. Got nan"),
    ({"dropout": (0.1, 0.2), "depth": 3}, r"Got 2 values, \[0.1, 0.2\], for 3 hidden layers"),
    # initializer and penalties
    ({"kernel_initializer": "he_norml"}, "Got 'he_norml'. Did you mean 'he_normal'"),
    ({"kernel_initializer": "zzz"}, r"kernel_initializer must be a name.* Got 'zzz'\.$"),
    ({"kernel_initializer": "deserialize"}, "kernel_initializer must .* Got 'deserialize'"),
    ({"kernel_initializer": "Initializer"}, "kernel_initializer must .* Got 'Initializer'"),
    ({"kernel_initializer": flat_kernel}, r"kernel_initializer must .*\(3, 4\).* Got"),
    ({"kernel_initializer": 3}, domain("kernel_initializer", 3)),
    ({"batch_normalization": "no"}, domain("batch_normalization", "'no'")),
    ({"l1": -1}, domain("l1", -1)),
    ({"l2": -0.5}, domain("l2", r"-0\.5")),
    ({"l2": np.nan}, domain("l2", "nan")),
    ({"l1": np.inf}, domain("l1", "inf")),
    # output and loss
    ({"output_activation": "rellu"}, "output_activation must .* Got 'rellu'. Did you mean 'relu'"),
    ({"output_activation": "glu"}, "output_activation must keep the shape.* Got 'glu'"),
    ({"output_activation": None}, domain("output_activation", None)),
    ({"loss": "binary_crossentrop"}, "Got 'binary_crossentrop'. Did you mean 'binary_cross"),
    ({"loss": "hubber"}, "loss must be a name that Keras knows.* Got 'hubber'. Did you mean"),
    ({"loss": "zzz"}, r"loss must be a name that Keras knows.* Got 'zzz'\.$"),
    ({"loss": "deserialize"}, r"(?!.*mean 'deserialize')loss must be a name.* Got 'deserialize'"),
    ({"loss": 3}, domain("loss", 3)),
    ({"loss": None}, domain("loss", None)),
    (
        {"loss": keras.losses.MeanSquaredError(reduction="none"), "engine": "keras"},
        "loss.*reduction.* Got .*none",
    ),
    ({"activation": Unhashable()}, "activation must be hashable.* Use a function, or a dataclass"),
    # optimizer
    ({"optimizer": "adamm"}, "optimizer must be a name.* Got 'adamm'. Did you mean 'adam'"),
    ({"optimizer": 3}, r"optimizer must be a Keras name or a keras\.optimizers.* Got 3"),
    ({"optimizer": None}, r"optimizer must be a Keras name or a keras\.optimizers.* Got None"),
    ({"optimizer": keras.optimizers.Adam}, r"Optimizer instance. Got <class .*Adam'>"),
    ({"learning_rate": 0}, domain("learning_rate", 0)),
    ({"learning_rate": -0.1}, domain("learning_rate", r"-0\.1")),
    ({"learning_rate": np.nan}, domain("learning_rate", "nan")),
    ({"learning_rate": "fast"}, domain("learning_rate", "'fast'")),
    ({"learning_rate": print}, r"learning_rate must be a positive number.* Got <built-in .*print"),
    ({"weight_decay": -1}, domain("weight_decay", -1)),
    ({"weight_decay": "some"}, domain("weight_decay", "'some'")),
    ({"clipnorm": 0}, domain("clipnorm", 0)),
    ({"clipnorm": -1.0}, domain("clipnorm", r"-1\.0")),
    # training
    ({"batch_size": 0}, domain("batch_size", 0)),
    ({"batch_size": 2.5}, domain("batch_size", r"2\.5")),
    ({"batch_size": "all"}, domain("batch_size", "'all'")),
    ({"batch_size": None}, domain("batch_size", None)),
    ({"epochs": 0}, domain("epochs", 0)),
    ({"epochs": 2.5}, domain("epochs", r"2\.5")),
    ({"shuffle": "yes"}, domain("shuffle", "'yes'")),
    ({"warm_start": "yes"}, domain("warm_start", "'yes'")),
    ({"warm_start": None}, domain("warm_start", None)),
    # metrics
    ({"metrics": 3}, domain("metrics", 3)),
    ({"metrics": b"mae"}, domain("metrics", "b'mae'")),
    ({"metrics": [3]}, "metrics must be 'accuracy', names of functions.* Got 3"),
    ({"metrics": [None]}, "metrics must be 'accuracy', names of functions.* Got None"),
    ({"metrics": [["mae"]]}, r"metrics must be 'accuracy', names of functions.* Got \['mae'\]"),
    ({"metrics": {"name": "mae"}}, "metrics must be 'accuracy', names of functions.* Got {'name"),
    ({"metrics": "accuraccy"}, "Did you mean 'accuracy'.* Known: .*binary_accuracy"),
    ({"metrics": "deserialize"}, r"Got 'deserialize'. Known: (?!.*deserialize)"),
    ({"metrics": "loss"}, "metrics must be 'accuracy', names of functions.* Got 'loss'"),
    ({"metrics": "AUC"}, "Got 'AUC'.* use a scikit-learn scorer as `scoring`"),
    ({"metrics": keras.metrics.AUC}, "Got <class .*AUC'>.* use a scikit-learn scorer"),
    ({"metrics": keras.metrics.AUC()}, "Got <AUC .*use a scikit-learn scorer as `scoring`"),
    ({"metrics": ["mae", "mae"]}, r"metrics must be of different names.* Got \['mae', 'mae'\]"),
    # watching
    ({"early_stopping": "yes"}, domain("early_stopping", "'yes'")),
    ({"early_stopping": None}, domain("early_stopping", None)),
    ({"early_stopping": 1}, domain("early_stopping", 1)),
    ({"validation_fraction": 0}, domain("validation_fraction", 0)),
    ({"validation_fraction": 1}, domain("validation_fraction", 1)),
    ({"validation_fraction": 1.0}, domain("validation_fraction", r"1\.0")),
    ({"validation_fraction": -0.1}, domain("validation_fraction", r"-0\.1")),
    ({"validation_fraction": np.nan}, domain("validation_fraction", "nan")),
    ({"validation_fraction": True}, domain("validation_fraction", True)),
    ({"validation_fraction": "tenth"}, domain("validation_fraction", "'tenth'")),
    (
        {"validation_fraction": 0.99},
        r"validation_fraction must leave rows to train on. Got 0\.99 of 24 row",
    ),
    ({"patience": 0}, domain("patience", 0)),
    ({"patience": 2.5}, domain("patience", r"2\.5")),
    ({"patience": "long"}, domain("patience", "'long'")),
    ({"min_delta": -0.1}, domain("min_delta", r"-0\.1")),
    ({"min_delta": np.nan}, domain("min_delta", "nan")),
    ({"min_delta": np.inf}, domain("min_delta", "inf")),
    ({"min_delta": None}, domain("min_delta", None)),
    ({"scoring": 3}, domain("scoring", 3)),
    ({"scoring": ["r2"]}, domain("scoring", r"\['r2'\]")),
    ({"scoring": "acuracy"}, "scoring must .* Got 'acuracy'. Did you mean .*'accuracy'"),
    ({"scoring": "acuracy", "early_stopping": True}, "scoring must .* Got 'acuracy'"),
    ({"refit_full": "yes"}, domain("refit_full", "'yes'")),
    ({"refit_full": True}, "refit_full=True needs early_stopping=True.* Got early_stopping=False"),
    (
        {"refit_full": True, "validation_fraction": 0.5},
        "refit_full=True needs early_stopping=True.* Got early_stopping=False",
    ),
    (
        {"refit_full": True, "early_stopping": True, "warm_start": True},
        "refit_full=True trains from new weights, warm_start=True from .* Got both",
    ),
    ({"dtype": "float16"}, domain("dtype", "'float16'")),
    ({"dtype": np.float32}, domain("dtype", "<class 'numpy.float32'>")),
    ({"verbose": 5}, domain("verbose", 5)),
    ({"verbose": -1}, domain("verbose", -1)),
    ({"random_state": "seed"}, domain("random_state", "'seed'")),
    ({"random_state": -1}, domain("random_state", -1)),
    ({"random_state": np.random.default_rng(0)}, domain("random_state", "Generator")),
    ({"engine": "torch"}, domain("engine", "'torch'")),
    # whole numbers too large for a float, and even to be written out
    *[
        ({name: number}, domain(name, "one beyond 1e308"))
        for name in sorted(NUMERIC)
        for number in (10**400, 10**5000)
    ],
    ({"units": [10**400], "depth": None}, "units must be whole numbers up to .* Got a larger"),
    ({"dropout": [10**400]}, "dropout must be rates of at least 0 and below 1. Got 1000"),
    ({"epochs": 2**63}, domain("epochs", 2**63)),
    # lists of lists
    ({"units": [[1]], "depth": None}, r"units must be whole numbers of at least 1. Got \[1\]"),
    ({"units": [4, [1]], "depth": None}, r"units must be whole numbers.* Got \[1\]"),
    ({"dropout": [[0.1]]}, r"dropout must be rates.* Got \[0.1\]"),
    ({"dropout": [0.1, [0.1]], "depth": 2}, r"dropout must be rates.* Got \[0.1\]"),
    ({"activation": [["tanh"]]}, r"activation must be a Keras name or a callable. Got \['tanh'\]"),
    ({"activation": ["relu", ["tanh"]], "depth": 2}, r"activation must be .* Got \['tanh'\]"),
    ({"metrics": ["mae", ["mae"]]}, r"metrics must be 'accuracy'.* Got \['mae'\]"),
    # an optimizer around another
    (
        {"optimizer": "LossScaleOptimizer"},
        r"must be a name.* Got 'LossScaleOptimizer'\.$",
    ),
    ({"optimizer": "lossscaleoptimize"}, r"must be a name.* Got 'lossscaleoptimize'\.$"),
]


def brief(value):
    return (
        f"about 2**{value.bit_length()}"
        if isinstance(value, int) and value > 2**64
        else repr(value)
    )


def spell(parameters):
    """Return a test's name for parameters, without addresses in memory."""
    shown = {name: getattr(value, "__name__", brief(value)) for name, value in parameters.items()}
    return re.sub(" at 0x[0-9a-fA-F]+", "", ", ".join(map("=".join, shown.items())))


@both
@pytest.mark.parametrize(
    ("parameters", "match"), [pytest.param(p, m, id=spell(p)) for p, m in BAD_PARAMETERS]
)
def test_unusable_parameters(kind, parameters, match):
    assert_fit_fails(small(kind, **parameters), X, TARGETS[kind], match=match)


def test_standardize_target_must_be_boolean():
    network = small(KerasDenseRegressor, standardize_target="no")
    assert_fit_fails(network, X, NUMBERS, match=domain("standardize_target", "'no'"))


def own_metric(scale, y_true, y_pred):
    return scale * keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


class OwnMetric:
    def __call__(self, y_true, y_pred):
        return own_metric(1.0, y_true, y_pred)


@pytest.mark.parametrize("metric", [partial(own_metric, 1.0), OwnMetric()], ids=["partial", "own"])
def test_metrics_without_a_name_are_used_or_refused(metric):
    network = small(KerasDenseRegressor, depth=0, metrics=metric)
    try:
        history = network.fit(X, NUMBERS).history_
    except ValueError as error:
        assert re.search("metrics must .*name.* Got", str(error))  # noqa: PT017
    else:
        assert len(history) == 2


def test_accuracy_is_no_metric_of_numbers():
    network = small(KerasDenseRegressor, metrics=["mae", "accuracy"])
    assert_fit_fails(network, X, NUMBERS, match="metrics must be for numbers.* Got 'accuracy'")


def test_validation_fraction_must_leave_every_class_a_row():
    network = small(KerasDenseClassifier, validation_fraction=0.95)
    match = r"must leave every one of 2 classes a row.* Got 1 row\(s\) to train on.* pass X_val"
    assert_fit_fails(network, X, CLASSES, match=match)


BAD_CLASS_WEIGHTS = [
    ("balance", domain("class_weight", "'balance'")),
    (3, domain("class_weight", 3)),
    ([1, 2], domain("class_weight", r"\[1, 2\]")),
    ({2: 1.0}, r"class_weight must name classes of y, \[0, 1\]. Got 2"),
    ({"0": 1.0}, r"class_weight must name classes of y, \[0, 1\]. Got '0'"),
    ({(0, 1): 1.0}, r"class_weight must name classes of y, \[0, 1\]. Got \(0, 1\)"),
    ({None: 1.0}, r"class_weight must name classes of y, \[0, 1\]. Got None"),
    ({0: -1}, "class_weight must be of numbers >= 0. Got 0: -1"),
    ({0: np.nan}, "class_weight must be of numbers >= 0. Got 0: nan"),
    ({0: np.inf}, "class_weight must be of numbers >= 0. Got 0: inf"),
    ({0: "heavy"}, "class_weight must be of numbers >= 0. Got 0: .*heavy"),
    ({0: None}, "class_weight must be of numbers >= 0. Got 0: None"),
    ({0: [1, 2]}, r"class_weight must be of numbers >= 0. Got 0: \[1, 2\]"),
    ({0: 10**400}, "class_weight must be of numbers >= 0. Got 0: 1000"),
    ({0: 1j}, "class_weight must be of numbers >= 0. Got 0: 1j"),
    ({0: 0}, "at least 2 classes, with positive weight. Got one class: 1"),
]


@pytest.mark.parametrize(
    ("class_weight", "match"), [pytest.param(w, m, id=str(w)[:40]) for w, m in BAD_CLASS_WEIGHTS]
)
def test_unusable_class_weights(class_weight, match):
    network = small(KerasDenseClassifier, class_weight=class_weight)
    assert_fit_fails(network, X, CLASSES, match=match)


def test_class_weights_may_name_classes_that_a_fold_lacks():
    X_fold, y_fold = X[CLASSES < 2], CLASSES[CLASSES < 2]
    given = small(KerasDenseClassifier, class_weight={0: 1, 1: 3, 2: 10})
    meant = small(KerasDenseClassifier, class_weight={0: 1, 1: 3})
    assert_array_equal(
        given.fit(X_fold, y_fold, X_val=X[:3], y_val=y_fold[:3]).predict_proba(X),
        meant.fit(X_fold, y_fold, X_val=X[:3], y_val=y_fold[:3]).predict_proba(X),
    )


def test_a_misspelt_class_weight_is_refused_though_another_is_named():
    network = small(KerasDenseClassifier, class_weight={0: 2.0, 11: 3.0})
    match = r"must name classes of y, \[0, 1\]. Got 11, and none of \[1\]"
    assert_fit_fails(network, X, CLASSES, match=match)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (["a", None], r"y must hold labels only. Got \d+ missing value\(s\), such as None"),
        (["a", 1], "y must hold labels of one kind, which compare. Got int, str"),
    ],
)
def test_labels_that_do_not_compare_are_named(labels, match):
    y = np.array(labels, object)[CLASSES % 2]
    assert_fit_fails(small(KerasDenseClassifier), X, y, match=match)


@ignore_overflow
def test_weights_whose_product_overflows():
    network = small(KerasDenseClassifier, class_weight={0: 1e300})
    match = r"sample_weight times class_weight .* float64 holds. Got sample weights up to 1e\+300"
    with pytest.raises(ValueError, match=match):
        network.fit(X, CLASSES, sample_weight=np.full(ROWS, 1e300))


def test_class_weights_by_name_are_not_for_indicator_matrices():
    network = small(KerasDenseClassifier, class_weight={0: 2.0})
    match = "must be None or 'balanced' for an indicator matrix. Got a dict"
    assert_fit_fails(network, X, np.c_[CLASSES, 1 - CLASSES], match=match)


@both
@pytest.mark.parametrize(
    "callbacks",
    ["x", ["x"], 3, {}, keras.callbacks.EarlyStopping, [keras.callbacks.TerminateOnNaN(), None]],
    ids=["text", "list of text", "number", "dict", "class", "None among others"],
)
def test_unusable_callbacks(kind, callbacks):
    match = "callbacks must be keras.callbacks.Callback objects. Got .* set_callbacks"
    network = small(kind, callbacks=callbacks)
    assert_fit_fails(network, X, TARGETS[kind], match=match, error=TypeError)


@pytest.mark.parametrize(
    ("activation", "shown"),
    [
        ("relu", "'relu'"),
        ("tanh", "'tanh'"),
        (keras.layers.LeakyReLU(negative_slope=0.1), r"(?!.*KerasObject).*LeakyReLU"),
    ],
    ids=["relu", "tanh", "LeakyReLU"],
)
def test_automatic_loss_needs_an_output_that_gives_probabilities(activation, shown):
    network = small(KerasDenseClassifier, output_activation=activation)
    match = rf"loss='auto' needs output_activation 'auto', 'softmax'.* Got {shown}.* Name the loss"
    assert_fit_fails(network, X, CLASSES, match=match)


# --- gradients ---------------------------------------------------------------------------


def step(x):
    return keras.ops.cast(x > 0, x.dtype)


def held_back(x):
    return tf.stop_gradient(keras.ops.tanh(x))


def smooth_by_numpy(x):
    return x * np.tanh(x)


def turned(x):
    return x if keras.ops.sum(x) > 0 else -x


def constant(y_true, y_pred):
    return keras.ops.mean(y_true**2, axis=-1)


def nothing(y_true, y_pred):
    return keras.ops.mean(y_true - 0 * y_pred, axis=-1)


def rounded(y_true, y_pred):
    return keras.ops.mean((y_true - keras.ops.round(y_pred)) ** 2, axis=-1)


def direction(y_true, y_pred):
    return keras.ops.mean(keras.ops.sign(y_pred - y_true), axis=-1)


def by_numpy(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2, axis=-1)


FLAT_ACTIVATIONS = [keras.ops.round, keras.ops.sign, step, held_back, smooth_by_numpy, turned]
FLAT_LOSSES = [constant, nothing, rounded, direction, by_numpy]


def must_have_a_gradient(name, function):
    return rf"{name} must (have a gradient|be made of operations).* Got {function.__name__}, wh"


@both
@engines
@pytest.mark.parametrize("function", FLAT_ACTIVATIONS)
def test_activations_without_a_gradient(kind, engine, function):
    match = must_have_a_gradient("activation", function)
    hidden = {"activation": ["tanh", function, "tanh"], "depth": 3, "l2": 0.1}
    assert_fit_fails(small(kind, engine=engine, **hidden), X, TARGETS[kind], match=match)
    output = {"output_activation": function, "loss": "mse"}
    match = f"^output_{match}"
    assert_fit_fails(small(kind, engine=engine, **output), X, TARGETS[kind], match=match)


@both
@engines
@pytest.mark.parametrize("function", FLAT_LOSSES)
def test_losses_without_a_gradient(kind, engine, function):
    match = must_have_a_gradient("^loss", function)
    network = small(kind, engine=engine, loss=function, l2=0.1)
    assert_fit_fails(network, X, TARGETS[kind], match=match)


def straight_through(x):
    return x + tf.stop_gradient(keras.ops.round(x) - x)


def flat_in_part(x):
    return keras.ops.concatenate([x[:, :1], keras.ops.round(x[:, 1:])], axis=1)


def shares(x):
    return keras.ops.softmax(x)  # whose sum has no gradient


def tolerant(y_true, y_pred):
    return keras.ops.mean(keras.ops.maximum(keras.ops.abs(y_true - y_pred) - 5.0, 0), axis=-1)


def biweight(y_true, y_pred):
    within = keras.ops.maximum(1 - (y_true - y_pred) ** 2, 0)
    return keras.ops.mean(1 - within**3, axis=-1)


@pytest.mark.slow
@engines
@pytest.mark.parametrize("activation", [straight_through, flat_in_part, shares])
def test_activations_flat_in_part_train(engine, activation):
    network = small(KerasDenseRegressor, engine=engine, activation=activation, depth=2)
    first = network.fit(X, NUMBERS).coefs_[0]
    assert (network.set_params(epochs=4).fit(X, NUMBERS).coefs_[0] != first).any()


@pytest.mark.slow
@engines
@pytest.mark.parametrize("loss", [tolerant, biweight])
def test_losses_flat_in_part_train(engine, loss):
    network = small(KerasDenseRegressor, engine=engine, loss=loss, standardize_target=False)
    assert np.isfinite(network.fit(X, NUMBERS + 1000).predict(X)).all()


def test_an_activation_that_no_layer_has_needs_no_gradient():
    small(KerasDenseRegressor, activation=keras.ops.round, depth=0).fit(X, NUMBERS)


# --- inside of TensorFlow's scopes -------------------------------------------------------

IN_A_GRAPH = "needs TensorFlow to run its operations at once. Got a call inside of a tf.Graph"


@both
@engines
def test_fits_inside_of_a_graph(kind, engine):
    network = small(kind, engine=engine)
    with tf.Graph().as_default():
        assert_fit_fails(network, X, TARGETS[kind], match=IN_A_GRAPH, error=RuntimeError)
        with pytest.raises(RuntimeError, match=IN_A_GRAPH):
            network.partial_fit(X, TARGETS[kind], **CLASSES_OF[kind])


def test_keras_models_inside_of_a_graph():
    network = small(KerasDenseRegressor).fit(X, NUMBERS)
    model = network.to_keras()
    with tf.Graph().as_default():
        assert_array_equal(network.predict(X), network.predict(X))
        with pytest.raises(RuntimeError, match=IN_A_GRAPH):
            network.to_keras()
        with pytest.raises(RuntimeError, match=IN_A_GRAPH):
            KerasDenseRegressor.from_keras(model)


def test_predictions_of_own_activations_inside_of_a_graph():
    network = small(KerasDenseRegressor, activation=straight_through).fit(X, NUMBERS)
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match=IN_A_GRAPH):
        network.predict(X)


@engines
def test_fits_inside_of_a_traced_function(engine):
    network = small(KerasDenseRegressor, engine=engine)

    @tf.function(autograph=False)
    def fit():
        network.fit(X, NUMBERS)

    with pytest.raises(RuntimeError, match=IN_A_GRAPH):
        fit()


SCOPES = {
    "device": lambda: tf.device("/CPU:0"),
    "tape": tf.GradientTape,
    "names": lambda: tf.name_scope("own"),
}


@pytest.mark.slow
@engines
@pytest.mark.parametrize("name", SCOPES)
def test_other_scopes_change_nothing(name, engine):
    network = small(KerasDenseRegressor, engine=engine)
    outside = network.fit(X, NUMBERS).predict(X)
    with SCOPES[name]():
        network.fit(X, NUMBERS)
    assert_array_equal(network.predict(X), outside)


@contextlib.contextmanager
def keras_set_to(policy="float32", floatx="float32"):
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


GLOBAL_STATES = {
    "mixed": (lambda: keras_set_to("mixed_float16"), "dtype policy 'mixed_float16'"),
    "half": (lambda: keras_set_to("bfloat16"), "dtype policy 'bfloat16'"),
    "double": (lambda: keras_set_to("float64", "float64"), "'float64'.*Or set dtype='float64'"),
    "floatx": (lambda: keras_set_to(floatx="float16"), "floatx 'float16'"),
    "strategy": (
        lambda: tf.distribute.MirroredStrategy(["/CPU:0"]).scope(),
        "trains on one device. Got a call in the scope of MirroredStrategy",
    ),
}


@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize("name", GLOBAL_STATES)
def test_global_state_that_a_training_cannot_follow_is_refused(name, engine):
    scope, match = GLOBAL_STATES[name]
    network = small(KerasDenseRegressor, engine=engine, dtype="float32")
    with scope():
        assert_fit_fails(network, X, NUMBERS, match=match, error=RuntimeError)
        with pytest.raises(RuntimeError, match=match):
            network.partial_fit(X, NUMBERS)


@pytest.mark.parametrize("name", ["mixed", "strategy"])
def test_calls_of_a_search_know_the_state_of_its_thread(name):
    scope, match = GLOBAL_STATES[name]
    network = small(KerasDenseRegressor, dtype="float32")
    with scope(), parallel_config(backend="skdense"), pytest.raises(RuntimeError, match=match):
        Parallel()(delayed(network.fit)(X, NUMBERS) for _ in range(2))


def test_a_policy_of_the_trained_precision_changes_nothing():
    network = small(KerasDenseRegressor, dtype="float64")
    outside = network.fit(X, NUMBERS).predict(X)
    with keras_set_to("float64", "float64"):
        assert_array_equal(network.fit(X, NUMBERS).predict(X), outside)


@pytest.mark.parametrize("name", ["mixed", "floatx"])
def test_models_under_a_policy_of_fewer_digits_are_refused(name):
    network = small(KerasDenseRegressor).fit(X, NUMBERS)
    scope, match = GLOBAL_STATES[name]
    with scope():
        assert network.predict(X).shape == (ROWS,)
        with pytest.raises(RuntimeError, match=match):
            network.to_keras()


# --- predicting --------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[KerasDenseClassifier, KerasDenseRegressor])
def fitted(request):
    return small(request.param).fit(X, TARGETS[request.param])


@pytest.fixture(scope="module", params=[KerasDenseClassifier, KerasDenseRegressor])
def fitted_on_frame(request):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    return small(request.param).fit(frame, TARGETS[request.param])


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (X[:, :2], "X has 2 features, but KerasDense.* is expecting 3 features"),
        (np.c_[X, X], "X has 6 features, but KerasDense.* is expecting 3 features"),
        (X[0], "Expected 2D array, got 1D array"),
        (X[:0], r"0 sample\(s\).* while a minimum of 1 is required"),
        (with_value(X, np.nan), "X contains NaN"),
        (with_value(X, np.inf), "X contains infinity"),
        (np.full((ROWS, 3), "red", object), TEXT),
        (X + 1j, "Complex data not supported"),
    ],
    ids=["columns missing", "columns added", "1-D", "no rows", "nan", "inf", "text", "complex"],
)
def test_unusable_x_at_predict(fitted, bad, match):
    with pytest.raises(ValueError, match=match):
        fitted.predict(bad)


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (["a", "b", "d"], r"names unseen at fit time:\n- d\n.*now missing:\n- c"),
        (["c", "b", "a"], "must be in the same order as they were in fit"),
    ],
    ids=["another name", "another order"],
)
def test_other_feature_names_at_predict(fitted_on_frame, columns, match):
    with pytest.raises(ValueError, match=match):
        fitted_on_frame.predict(pd.DataFrame(X, columns=columns))


def test_no_feature_names_at_predict_is_a_warning(fitted_on_frame):
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted_on_frame.predict(X)


def test_score_with_y_of_another_length(fitted):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fitted.score(X, CLASSES[:3])


METHODS = ["predict", "to_keras", "summary"]
CLASSIFIER_METHODS = ["predict_proba", "predict_log_proba", "decision_function"]


@pytest.mark.parametrize(
    ("kind", "method"),
    [(KerasDenseClassifier, method) for method in METHODS + CLASSIFIER_METHODS]
    + [(KerasDenseRegressor, method) for method in METHODS],
)
def test_methods_before_fit(kind, method):
    arguments = () if method in ("to_keras", "summary") else (X,)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        getattr(kind(), method)(*arguments)


@both
def test_score_before_fit(kind):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        kind().score(X, TARGETS[kind])


@both
@pytest.mark.parametrize("name", ["coefs_", "intercepts_", "loss_curve_"])
def test_fitted_attributes_before_fit(kind, name):
    assert not hasattr(kind(), name)
    with pytest.raises(AttributeError, match=f"is not fitted yet|has no attribute '{name}'"):
        getattr(kind(), name)


# --- training that fails -----------------------------------------------------------------


def logarithm_of_a_negative(y_true, y_pred):
    return keras.ops.log(-1 - keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1))


# With depth=0 and a rate of 1e30, the second epoch's squared error is beyond float32.
EXPLODING = {"depth": 0, "dtype": "float32", "optimizer": "sgd", "learning_rate": 1e30}
ADVICE = r"Scale the inputs \(StandardScaler\), lower learning_rate, set clipnorm"


@engines
def test_infinite_loss_leaves_an_unfitted_estimator_unfitted(engine):
    network = small(KerasDenseRegressor, engine=engine, epochs=4, **EXPLODING)
    match = rf"Got (inf|nan) in epoch 2 with learning_rate=1e\+30\. {ADVICE}"
    assert_fit_fails(network, X, NUMBERS, match=match)
    with pytest.raises(NotFittedError):
        network.predict(X)


@both
@engines
def test_nan_loss_leaves_an_unfitted_estimator_unfitted(kind, engine):
    network = small(kind, engine=engine, depth=0, loss=logarithm_of_a_negative)
    match = rf"loss must stay finite. Got nan in epoch 1 with learning_rate=0\.001\. {ADVICE}"
    assert_fit_fails(network, X, TARGETS[kind], match=match)


def test_infinite_loss_under_a_schedule_names_the_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(1e30, 1, 1.0)
    network = small(KerasDenseRegressor, **EXPLODING | {"learning_rate": schedule})
    match = rf"Got \w+ in epoch 2 with learning_rate=ExponentialDecay, by then 1e\+30\. {ADVICE}"
    assert_fit_fails(network, X, NUMBERS, match=match)


@engines
def test_infinite_loss_leaves_a_fitted_estimator_as_it_was(engine):
    network = small(KerasDenseRegressor, engine=engine, **EXPLODING | {"learning_rate": 0.1})
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    predictions = network.fit(frame, NUMBERS).predict(frame)
    network.set_params(learning_rate=1e30)
    assert_fit_fails(network, X, NUMBERS, match="loss must stay finite")
    assert_array_equal(network.predict(frame), predictions)


def test_losses_beyond_float32_are_finite_in_float64():
    # Of the compiled engine: Keras' own sum of losses is in float32.
    parameters = EXPLODING | {"epochs": 3, "dtype": "float64", "learning_rate": 1e20}
    network = small(KerasDenseRegressor, engine="compiled", **parameters).fit(X, NUMBERS)
    assert network.loss_curve_[2] > 1e40


@engines
@pytest.mark.parametrize("learning_rate", [1e36, 1e39], ids=["large rate", "rate beyond float32"])
def test_weights_that_overflow_in_the_last_step_are_an_error(engine, learning_rate):
    # The only loss there is was taken before the step, and is finite.
    parameters = EXPLODING | {"epochs": 1, "learning_rate": learning_rate}
    network = small(KerasDenseRegressor, engine=engine, standardize_target=False, **parameters)
    assert_fit_fails(network, X, NUMBERS * 1e4, match="must stay finite|learning_rate.* must")


@engines
def test_interrupt_in_the_first_epoch_leaves_an_unfitted_estimator_unfitted(engine, monkeypatch):
    interrupt_in_the_first_epoch(monkeypatch)
    network = small(KerasDenseRegressor, engine=engine, depth=0)
    assert_fit_fails(network, X, NUMBERS, match="in training", error=KeyboardInterrupt)


@engines
def test_interrupt_in_the_first_epoch_leaves_a_fitted_estimator_as_it_was(engine, monkeypatch):
    network = small(KerasDenseClassifier, engine=engine, depth=0).fit(X, CLASSES)
    probabilities = network.predict_proba(X)
    interrupt_in_the_first_epoch(monkeypatch)
    other_classes = np.array(["no", "yes"])[CLASSES]
    assert_fit_fails(network, X, other_classes, match="in training", error=KeyboardInterrupt)
    assert_array_equal(network.predict_proba(X), probabilities)
    assert_array_equal(network.classes_, [0, 1])


def interrupt_in_the_first_epoch(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt("in training")

    # What either engine does with an epoch's loss before the epoch counts as done.
    monkeypatch.setattr("skdense._training.watching.Watch._follow_loss", interrupt)


@both
def test_failed_fit_keeps_a_fitted_estimator(kind):
    network = small(kind).fit(X, TARGETS[kind])
    predictions = network.predict(X)
    assert_fit_fails(network, X[:, :2], with_value(TARGETS[kind], np.nan), match="NaN")
    assert_array_equal(network.predict(X), predictions)


# --- sizes -------------------------------------------------------------------------------

TOO_LARGE = {
    "wide": {"units": 10**9},
    "wide at the end": {"units": [4, 10**12], "depth": None},
    "beyond any address": {"units": 2**62, "batch_normalization": True},
    "deep": {"units": 10**5, "depth": 1_000},
}


@engines
@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_network_beyond_memory_is_refused_before_it_takes_any(name, engine):
    network = small(KerasDenseRegressor, engine=engine, **TOO_LARGE[name])
    match = r"must fit into memory\. Got units=\[.* weights, which take .* GB .*Lower units, depth"
    assert_fit_fails(network, X, NUMBERS, match=match, error=MemoryError)


def test_more_layers_than_can_be_counted_are_refused():
    network = small(KerasDenseRegressor, depth=10**9)
    assert_fit_fails(network, X, NUMBERS, match="'depth' parameter .* must be")


@pytest.mark.parametrize("error", [MemoryError(), ResourceExhaustedError(None, None, "OOM")])
def test_where_memory_runs_out_the_sizes_are_named(error, monkeypatch):
    def out_of_memory(tasks):
        raise error

    monkeypatch.setattr("skdense._training.engines.train_compiled", out_of_memory)
    match = r"Got units=\[\d+\].* batch_size=\d+ .* more than there was\. Lower"
    assert_fit_fails(small(KerasDenseRegressor), X, NUMBERS, match=match, error=MemoryError)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_under_a_limit_of_memory_a_fit_fails_and_the_next_one_works():
    done = run_python("""
        import resource
        from skdense import KerasDenseRegressor
        X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]
        network = KerasDenseRegressor(units=4, epochs=1).fit(X, y)
        [size] = [line for line in open("/proc/self/status") if line.startswith("VmSize")]
        used = int(size.split()[1]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, resource.RLIM_INFINITY))
        for engine in "compiled", "keras":
            try:
                network.set_params(units=20_000, engine=engine).fit(X, y)
            except MemoryError as error:
                print(error)
            network.set_params(units=8).fit(X, y).predict(X)
    """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("400,080,001 weights") == 2


# --- processes ---------------------------------------------------------------------------


def run_python(code, **environment):
    """Run code in a fresh process, which is killed if it hangs."""
    return subprocess.run(  # noqa: S603 - the code is this file's own
        [sys.executable, "-c", dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


WRONG_BACKEND = r"requires Keras to run on the 'tensorflow' backend.*jax.*KERAS_BACKEND=tensorflow"


def test_another_keras_backend(monkeypatch):
    monkeypatch.setattr(loading, "_is_loaded", False)
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    assert_fit_fails(
        small(KerasDenseClassifier), X, CLASSES, match=WRONG_BACKEND, error=RuntimeError
    )


@pytest.mark.slow
def test_another_keras_backend_in_the_environment():
    # Whether or not that backend is installed; where it is not, importing Keras fails.
    done = run_python(
        f"""
        import re
        from skdense import KerasDenseClassifier
        try:
            KerasDenseClassifier().fit([[0.0], [1.0]], [0, 1])
        except RuntimeError as error:
            print(bool(re.search({WRONG_BACKEND!r}, str(error))))
        """,
        KERAS_BACKEND="jax",
    )
    assert done.stdout == "True\n", done.stderr


FORK = """
import os, signal
import numpy as np
from skdense import KerasDenseClassifier

X, y = np.random.default_rng(0).normal(size=(24, 3)), np.arange(24) % 2
network = KerasDenseClassifier(units=4, epochs=2, random_state=0)

def fit_error():
    try:
        network.fit(X, y)
    except RuntimeError as error:
        return error

{before_fork}
child = os.fork()
if child == 0:
    signal.alarm(30)  # ends a child that hangs in TensorFlow
    {in_child}
    raise SystemExit  # by way of what runs at exit
print("status", os.waitpid(child, 0)[1])
"""

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.mark.slow
@forks
def test_fit_in_a_child_forked_after_a_fit_is_an_error_and_predict_works():
    code = FORK.format(
        before_fork="expected = network.fit(X, y).predict_proba(X)",
        in_child="print(fit_error(), (network.predict_proba(X) == expected).all(), flush=True)",
    )
    done = run_python(code)
    assert "Got a child that was forked after" in done.stdout, done.stderr
    assert "Start workers with the 'spawn' or 'forkserver' method" in done.stdout
    assert done.stdout.endswith("True\nstatus 0\n")


@pytest.mark.slow
@forks
def test_fit_in_a_child_forked_after_other_use_of_tensorflow_is_an_error():
    code = FORK.format(
        before_fork="import keras; keras.ops.matmul(X, X.T) + 1",
        in_child="print(fit_error(), flush=True)",
    )
    done = run_python(code)
    assert "Start workers with the 'spawn' or 'forkserver' method" in done.stdout, done.stderr
    assert done.stdout.endswith("status 0\n")


@pytest.mark.slow
@forks
def test_fit_in_a_child_forked_before_tensorflow_ran_works():
    code = FORK.format(before_fork="", in_child="print(fit_error(), flush=True)")
    done = run_python(code)
    assert done.stdout == "None\nstatus 0\n", done.stderr


# --- warnings ----------------------------------------------------------------------------


def scale_warnings(data, kind=KerasDenseClassifier):
    """Fit, and return the messages of the warnings about scale; others are errors."""
    with pytest.warns(FeatureScaleWarning) as record:
        small(kind, depth=0).fit(data, TARGETS[kind])
    assert all(warning.filename == __file__ for warning in record), "points at the caller's line"
    return [str(warning.message) for warning in record]


@both
def test_scale_warning_for_pixels(kind):
    pixels = np.random.default_rng(1).integers(0, 256, size=(ROWS, 3))
    [message] = scale_warnings(pixels, kind)
    assert "scale near 1. Got 3 column(s)" in message
    assert "StandardScaler before the estimator, or divide pixels by 255" in message


def test_scale_warning_names_columns_of_a_frame_the_worst_first():
    frame = pd.DataFrame({"age": 40 * X[:, 0], "income": 50_000 * X[:, 1], "height": X[:, 2]})
    [message] = scale_warnings(frame)
    assert "Got 2 column(s)" in message
    assert message.index("'income' (") < message.index("'age' (")
    assert "height" not in message


def test_scale_warning_gives_indices_of_an_array_and_at_most_three():
    [message] = scale_warnings(np.c_[X, X] * [1, 100, 900, 600, 700, 500])
    assert "Got 5 column(s)" in message
    root_mean_squares = np.sqrt((X**2).mean(axis=0)) * [600, 700, 900]
    for index, value in zip([3, 4, 2], root_mean_squares, strict=True):
        assert f"{index} ({value:.3g})" in message
    assert message.count("), ") == 2


def test_scale_warning_for_large_sparse_values():
    [message] = scale_warnings(csr_array(X * [1, 1, 1000]))
    assert "Got 1 column(s)" in message
    assert "largest: 2 (" in message


def test_scale_warning_for_values_near_the_end_of_float64():
    with pytest.warns(FeatureScaleWarning, match=r"Got 1 column\(s\) .* largest: 1 \("):
        warn_about_scale(X * [1, 1e300, 1], None)


TEXTS = ["networks learn from numbers", "hashed words have a norm of one"] * (ROWS // 2)

WELL_SCALED = {
    "standardised": X,
    "float32": X.astype(np.float32),
    "one-hot": OneHotEncoder().fit_transform(np.arange(ROWS)[:, np.newaxis] % 3),
    "hashed texts": HashingVectorizer(n_features=16).transform(TEXTS),
    "zeros": np.zeros((ROWS, 3)),
    "percentages": np.abs(X) * 20,
}


@pytest.mark.parametrize("name", WELL_SCALED)
def test_no_scale_warning(name):
    small(KerasDenseClassifier, depth=0).fit(WELL_SCALED[name], CLASSES)  # warnings are errors


def mean_over_the_batch(y_true, y_pred):
    return tf.reduce_mean(tf.square(y_true - y_pred))


def ranking(y_true, y_pred):
    return tf.reduce_mean(tf.square(y_true - y_pred), axis=-1) - tf.reduce_mean(y_pred)


class UsersAdam(keras.optimizers.Adam):
    pass


SLOW = {
    "adagrad": ({"optimizer": "adagrad"}, "the optimizer Adagrad has no compiled update rule"),
    "Adagrad()": (
        {"optimizer": keras.optimizers.Adagrad()},
        "the optimizer Adagrad has no compiled update rule",
    ),
    "subclass": ({"optimizer": UsersAdam()}, "the optimizer UsersAdam has no compiled update rule"),
    "use_ema": (
        {"optimizer": keras.optimizers.Adam(use_ema=True)},
        "the optimizer sets use_ema",
    ),
    "gradient accumulation": (
        {"optimizer": keras.optimizers.SGD(gradient_accumulation_steps=2)},
        "the optimizer sets gradient_accumulation_steps",
    ),
    "mean over the batch": (
        {"loss": mean_over_the_batch},
        r"the loss gives shape \(\) for 3 rows, not one number a row",
    ),
    "rows depend on each other": (
        {"loss": ranking},
        "the loss of a row depends on the other rows of its batch",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_slow_engine_warning_under_auto(name):
    parameters, reason = SLOW[name]
    network = small(KerasDenseRegressor, depth=0, **parameters)
    match = f"many times slower, because {reason}. Set engine='keras'"
    with pytest.warns(SlowEngineWarning, match=match) as record:
        network.fit(X, NUMBERS)
    assert len(record) == 1
    assert network.engine_ == "keras"


def test_slow_engine_warning_points_at_the_callers_line():
    # Python shows a warning once for each line, so here that is once in a process otherwise.
    with pytest.warns(SlowEngineWarning) as record:
        small(KerasDenseRegressor, depth=0, optimizer="adagrad").fit(X, NUMBERS)
    assert record[0].filename == __file__


@pytest.mark.parametrize("name", SLOW)
def test_compiled_engine_refuses_what_it_does_not_cover(name):
    parameters, reason = SLOW[name]
    network = small(KerasDenseRegressor, depth=0, engine="compiled", **parameters)
    match = f"engine='compiled' needs .* Got one where {reason}. Use engine='auto'"
    assert_fit_fails(network, X, NUMBERS, match=match)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_keras_engine_is_silent_when_asked_for(name):
    parameters, _ = SLOW[name]
    network = small(KerasDenseRegressor, depth=0, engine="keras", **parameters)
    assert network.fit(X, NUMBERS).engine_ == "keras"  # warnings are errors
