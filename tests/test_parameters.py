"""Usable values of parameters: every spelling of them, what they mean, and their documentation."""

import ast
import inspect
import re

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_array, csr_array
from sklearn.base import clone

from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)
from skdense._problem.constraints import CONSTRAINTS
from skdense._problem.parameters import resolve_batch_size, resolve_dtype, resolve_epochs

ROWS = 24
X = np.random.default_rng(0).normal(size=(ROWS, 3))
NUMBERS = X @ [2.0, -1.0, 0.5]
CLASSES = (NUMBERS > 0).astype(int)
THREE_CLASSES = X.argmax(axis=1)
SMALL = {"units": 4, "depth": 1, "epochs": 3, "random_state": 0}
SMALL |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
# A linear model, whose program compiles fast, and enough epochs to learn what is linear.
LINEAR = {"depth": 0, "epochs": 200, "learning_rate": 0.1, "random_state": 0}

both = pytest.mark.parametrize("kind", [KerasDenseClassifier, KerasDenseRegressor])


def predictions(**parameters):
    """Fit to numbers as they are, and return the predictions."""
    settings = SMALL | {"standardize_target": False} | parameters
    return KerasDenseRegressor(**settings).fit(X, NUMBERS).predict(X)


# --- one value, many spellings -----------------------------------------------------------

NUMPY_NUMBERS = [
    ("units", 5, np.int64),
    ("depth", 2, np.int32),
    ("dropout", 0.25, np.float32),
    ("batch_normalization", True, np.bool_),
    ("l1", 0.125, np.float32),
    ("l2", 0.125, np.float64),
    ("learning_rate", 0.125, np.float32),
    ("learning_rate", 1, np.int64),
    ("weight_decay", 0.125, np.float32),
    ("weight_decay", 0, np.int64),
    ("clipnorm", 0.5, np.float32),
    ("clipnorm", 1, np.int64),
    ("batch_size", 8, np.int16),
    ("epochs", 2, np.uint8),
    ("shuffle", False, np.bool_),
    ("standardize_target", True, np.bool_),
    ("verbose", 0, np.int64),
    ("random_state", 3, np.int64),
    ("activation", "tanh", np.str_),
    ("loss", "mae", np.str_),
    ("optimizer", "sgd", np.str_),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value", "numpy_type"), NUMPY_NUMBERS)
def test_numpy_scalars_count_as_python_ones(name, value, numpy_type):
    given = predictions(**{name: numpy_type(value)})
    assert_array_equal(given, predictions(**{name: value}))


@pytest.mark.slow
@both
def test_numpy_scalars_build_a_keras_model(kind):
    parameters = {name: kind(value) for name, value, kind in NUMPY_NUMBERS if name in SMALL}
    network = kind(**SMALL | parameters | {"l1": np.float32(0.125), "l2": np.float64(0.125)})
    network.fit(X, CLASSES)
    assert network.to_keras().count_params() == sum(
        array.size for array in network.coefs_ + network.intercepts_
    )


@pytest.mark.slow
@pytest.mark.parametrize("sequence", [list, np.array], ids=["list", "array"])
@pytest.mark.parametrize(
    ("name", "values"),
    [("units", (5, 3)), ("activation", ("relu", "tanh")), ("dropout", (0.25, 0.0))],
)
def test_sequences_of_any_kind(name, values, sequence):
    parameters = {"units": (4, 3), "depth": None}
    given = predictions(**parameters | {name: sequence(values)})
    assert_array_equal(given, predictions(**parameters | {name: values}))


@pytest.mark.slow
def test_one_value_counts_for_every_hidden_layer():
    one = predictions(units=4, depth=2, activation="tanh", dropout=0.25)
    each = predictions(
        units=(4, 4), depth=2, activation=["tanh", "tanh"], dropout=np.array([0.25, 0.25])
    )
    assert_array_equal(one, each)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "shapes"),
    [
        ({"units": 5, "depth": None}, [(3, 5), (5, 5), (5, 1)]),
        ({"units": 5, "depth": 1}, [(3, 5), (5, 1)]),
        ({"units": 5, "depth": 0}, [(3, 1)]),
        ({"units": (5, 4), "depth": None}, [(3, 5), (5, 4), (4, 1)]),
        ({"units": (5, 4), "depth": 2}, [(3, 5), (5, 4), (4, 1)]),
        ({"units": (), "depth": None}, [(3, 1)]),
    ],
)
def test_units_and_depth_give_the_layers(parameters, shapes):
    network = KerasDenseRegressor(**SMALL | parameters).fit(X, NUMBERS)
    assert [kernel.shape for kernel in network.coefs_] == shapes


def own_relu(x):
    return keras.ops.maximum(x, keras.ops.zeros_like(x))


def own_squared_error(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


class OwnSquaredError(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return own_squared_error(y_true, y_pred)


def own_zeros(shape, dtype=None):
    return keras.ops.zeros(shape, dtype)


class Pinball(keras.losses.Loss):
    """A loss without `get_config`, which Keras asks for only where it saves a model."""

    def __init__(self, quantile=0.5):
        super().__init__()
        self.quantile = quantile

    def call(self, y_true, y_pred):
        error = y_true - y_pred
        pinball = keras.ops.maximum(self.quantile * error, (self.quantile - 1) * error)
        return keras.ops.mean(pinball, axis=-1)


class Filled(keras.initializers.Initializer):
    """An initializer without `get_config`."""

    def __init__(self, value=0.125):
        self.value = value

    def __call__(self, shape, dtype=None):
        return keras.ops.full(shape, self.value, dtype)


class Leaky(keras.layers.Layer):
    """A layer without `get_config`."""

    def __init__(self, slope=0.0):
        super().__init__()
        self.slope = slope

    def call(self, x):
        return keras.ops.maximum(x, self.slope * x)


class OwnZeros(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return keras.ops.zeros(shape, dtype)


SPELLINGS = {
    # parameter, name, and what else means the same
    "function of Keras": ("activation", "tanh", keras.activations.tanh),
    "layer": ("activation", "leaky_relu", keras.layers.LeakyReLU(negative_slope=0.2)),
    "layer without arguments": ("activation", "relu", keras.layers.ReLU()),
    "own activation": ("activation", "relu", own_relu),
    "loss alias": ("loss", "mean_squared_error", "mse"),
    "loss by class name": ("loss", "mean_squared_error", "MeanSquaredError"),
    "loss object": ("loss", "huber", keras.losses.Huber()),
    "loss class": ("loss", "huber", keras.losses.Huber),
    "loss function": ("loss", "mae", keras.losses.mean_absolute_error),
    "own loss": ("loss", "mse", own_squared_error),
    "own loss object": ("loss", "mse", OwnSquaredError()),
    "initializer by class name": ("kernel_initializer", "he_normal", "HeNormal"),
    "initializer object": ("kernel_initializer", "he_normal", keras.initializers.HeNormal()),
    "own initializer": ("kernel_initializer", "zeros", own_zeros),
    "own initializer object": ("kernel_initializer", "zeros", OwnZeros()),
    "optimizer by class name": ("optimizer", "rmsprop", "RMSprop"),
    "optimizer object": ("optimizer", "sgd", keras.optimizers.SGD()),
    "schedule": (
        "learning_rate",
        0.125,
        keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.125, 0.125]),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_of_one_value(name):
    parameter, plain, other = SPELLINGS[name]
    given = predictions(**{parameter: other})
    assert_allclose(given, predictions(**{parameter: plain}), rtol=1e-6, atol=1e-9)


ARGUMENTS = {
    # parameter, and two values that differ in an argument
    "slope": ("activation", "leaky_relu", keras.layers.LeakyReLU(negative_slope=0.1)),
    "seed": (
        "kernel_initializer",
        keras.initializers.HeNormal(seed=0),
        keras.initializers.HeNormal(seed=1),
    ),
    "gain": (
        "kernel_initializer",
        keras.initializers.Identity(),
        keras.initializers.Identity(gain=0.5),
    ),
    "delta": ("loss", keras.losses.Huber(), keras.losses.Huber(delta=0.1)),
    "momentum": ("optimizer", keras.optimizers.SGD(), keras.optimizers.SGD(momentum=0.9)),
    "rate": ("optimizer", keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.02)),
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_of_objects_are_not_ignored(name, engine):
    parameter, one, other = ARGUMENTS[name]
    settings = {"optimizer": "sgd", "engine": engine}
    first = predictions(**settings | {parameter: one})
    assert not np.allclose(first, predictions(**settings | {parameter: other}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameter", "one", "other"),
    [
        ("activation", Leaky(), Leaky(0.5)),
        ("kernel_initializer", Filled(), Filled(0.25)),
        ("loss", Pinball(), Pinball(0.9)),
    ],
    ids=["activation", "kernel_initializer", "loss"],
)
def test_arguments_of_objects_without_get_config_are_used_or_refused(parameter, one, other):
    try:
        first = predictions(optimizer="sgd", **{parameter: one})
        second = predictions(optimizer="sgd", **{parameter: other})
    except ValueError as error:
        assert re.search(f"{parameter} must .*get_config.* Got", str(error))  # noqa: PT017
    else:
        assert not np.allclose(first, second)


def test_learning_rate_overrides_the_optimizers_own():
    by_parameter = predictions(optimizer=keras.optimizers.SGD(0.5), learning_rate=0.125)
    assert_array_equal(by_parameter, predictions(optimizer=keras.optimizers.SGD(0.125)))


def test_optimizer_object_is_only_read():
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    before = optimizer.get_config()
    first = predictions(optimizer=optimizer, learning_rate=0.1)
    assert_array_equal(predictions(optimizer=optimizer, learning_rate=0.1), first)
    assert optimizer.get_config() == before
    assert int(optimizer.iterations) == 0


# --- classification losses and outputs ---------------------------------------------------

TWO, THREE = "two classes", "three classes"
LABELS = {TWO: CLASSES, THREE: THREE_CLASSES}
CROSS_ENTROPIES = keras.losses.BinaryCrossentropy, keras.losses.CategoricalCrossentropy
BINARY, CATEGORICAL = CROSS_ENTROPIES
SPARSE = keras.losses.SparseCategoricalCrossentropy

OUTPUTS = {
    # parameters, units for two classes, units for three
    "auto": ({}, 1, 3),
    "softmax": ({"output_activation": "softmax"}, 2, 3),
    "sigmoid": ({"output_activation": "sigmoid"}, 1, 3),
    "linear": ({"output_activation": "linear"}, 1, 3),
    "mse": ({"loss": "mse"}, 1, 3),
    "hinge": ({"loss": "hinge"}, 1, 3),
    "squared_hinge": ({"loss": "squared_hinge"}, 1, 3),
    "categorical_hinge": ({"loss": "categorical_hinge"}, 2, 3),
    "kl_divergence": ({"loss": "kl_divergence"}, 2, 3),
    "binary_crossentropy": ({"loss": "binary_crossentropy"}, 1, 3),
    "binary_focal_crossentropy": ({"loss": "binary_focal_crossentropy"}, 1, 3),
    "categorical_crossentropy": ({"loss": "categorical_crossentropy"}, 2, 3),
    "sparse": ({"loss": "sparse_categorical_crossentropy"}, 2, 3),
    "smoothed": ({"loss": CATEGORICAL(label_smoothing=0.1)}, 2, 3),
    "binary logits": ({"loss": BINARY(from_logits=True)}, 1, 3),
    "categorical logits": ({"loss": CATEGORICAL(from_logits=True)}, 2, 3),
    "sparse logits": ({"loss": SPARSE(from_logits=True)}, 2, 3),
    "own loss": ({"loss": own_squared_error}, 1, 3),
    "tanh and hinge": ({"output_activation": "tanh", "loss": "hinge"}, 1, 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("labels", [TWO, THREE])
@pytest.mark.parametrize("name", OUTPUTS)
def test_classification_by_any_loss_and_output(name, labels):
    parameters, *n_units = OUTPUTS[name]
    network = KerasDenseClassifier(**LINEAR, **parameters).fit(X, LABELS[labels])
    probabilities, decision = network.predict_proba(X), network.decision_function(X)
    predicted = network.predict(X)

    assert network.n_outputs_ == n_units[labels == THREE]
    assert network.engine_ == "compiled"
    assert probabilities.min() >= 0
    assert_allclose(probabilities.sum(axis=1), 1)
    assert decision.shape == ((ROWS,) if labels == TWO else (ROWS, 3))
    decided = decision > 0 if labels == TWO else decision.argmax(axis=1)
    assert_array_equal(predicted, decided.astype(int))
    # A prediction has the largest probability, be it with others.
    assert_allclose(probabilities[np.arange(ROWS), predicted], probabilities.max(axis=1))
    assert np.mean(predicted == LABELS[labels]) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("binary logits", "auto"),
        ("linear", "auto"),
        ("categorical logits", "softmax"),
        ("sparse logits", "softmax"),
        ("categorical_crossentropy", "softmax"),
        ("kl_divergence", "softmax"),
    ],
)
def test_losses_that_amount_to_the_same_probabilities(name, same):
    first, second = (
        KerasDenseClassifier(**LINEAR, **OUTPUTS[key][0]).fit(X, CLASSES).predict_proba(X)
        for key in (name, same)
    )
    assert_allclose(first, second, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "labels", "columns"),
    [
        ({}, TWO, 1),
        ({}, THREE, 3),
        ({"output_activation": "softmax"}, TWO, 2),
    ],
)
def test_columns_of_targets_for_an_own_loss(parameters, labels, columns):
    seen = set()

    def loss(y_true, y_pred):
        seen.add((y_true.shape[-1], y_pred.shape[-1]))
        return own_squared_error(y_true, y_pred)

    KerasDenseClassifier(**LINEAR | {"epochs": 1}, loss=loss, **parameters).fit(X, LABELS[labels])
    assert seen == {(columns, columns)}


# --- regression losses and targets -------------------------------------------------------

REGRESSION_LOSSES = {
    # loss, whether the target is standardised for it
    "auto": ("auto", True),
    "mse": ("mse", True),
    "mae": ("mae", True),
    "huber": ("huber", True),
    "log_cosh": ("log_cosh", True),
    "LogCosh": ("LogCosh", True),
    "MeanAbsoluteError()": (keras.losses.MeanAbsoluteError(), True),
    "Huber(0.5)": (keras.losses.Huber(0.5), True),
    "own loss": (own_squared_error, False),
    "own loss object": (OwnSquaredError(), False),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_regression_by_any_loss(name):
    loss, standardized = REGRESSION_LOSSES[name]
    network = KerasDenseRegressor(**LINEAR, loss=loss).fit(X, 3 + 2 * NUMBERS)
    assert network.score(X, 3 + 2 * NUMBERS) > 0.95
    assert network._fitted.target.is_standardized is standardized


@pytest.mark.parametrize("parameters", [{}, {"output_activation": "softplus", "loss": "mse"}])
def test_positive_predictions(parameters):
    counts = np.exp(NUMBERS / 2)
    network = KerasDenseRegressor(**LINEAR | {"loss": "poisson"} | parameters).fit(X, counts)
    assert network.predict(X).min() > 0
    assert network.predict(-10 * np.abs(X)).min() >= 0
    assert network.score(X, counts) > 0.8


def test_standardized_target_equals_standardizing_by_hand():
    y = 500 + 30 * NUMBERS
    inside = KerasDenseRegressor(**SMALL).fit(X, y).predict(X)
    scaled = (y - y.mean()) / y.std()
    network = KerasDenseRegressor(**SMALL, standardize_target=False).fit(X, scaled)
    assert_allclose(inside, network.predict(X) * y.std() + y.mean(), rtol=1e-9)


def test_standardize_target_false_learns_the_target_as_it_is():
    network = KerasDenseRegressor(**LINEAR, standardize_target=False).fit(X, 100 * NUMBERS)
    assert not network._fitted.target.is_standardized
    assert network.loss_curve_[0] == pytest.approx(np.mean((100 * NUMBERS) ** 2), rel=0.1)
    standardized = KerasDenseRegressor(**LINEAR).fit(X, 100 * NUMBERS)
    assert standardized.loss_curve_[0] < 10


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e6, 1e-6])
def test_millions_are_learned_as_well_as_units(scale, dtype):
    network = KerasDenseRegressor(**SMALL | {"epochs": 50, "learning_rate": 0.05}, dtype=dtype)
    in_units = network.fit(X, NUMBERS).predict(X)
    in_millions = network.fit(X, scale * (NUMBERS + 7)).predict(X)
    assert_allclose(in_millions / scale - 7, in_units, atol=1e-3)
    assert network.score(X, scale * (NUMBERS + 7)) > 0.9


# --- automatic choices -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_samples", "epochs"), [(1, 128), (4_000, 128), (8_000, 64), (16_000, 32), (10**6, 32)]
)
def test_automatic_epochs(n_samples, epochs):
    assert resolve_epochs("auto", n_samples) == epochs
    assert resolve_epochs(7, n_samples) == 7


@pytest.mark.slow
@pytest.mark.parametrize("kind", [KerasDenseClassifier, KerasDenseRegressor])
def test_the_automatic_schedule_is_a_cosine_from_a_rate_of_its_own(kind):
    y = CLASSES if kind is KerasDenseClassifier else NUMBERS
    settings = {"units": 4, "depth": 1, "epochs": 3, "random_state": 0, "l2": 0.0}
    cosine = {"learning_rate_schedule": "cosine", "learning_rate": 0.005}
    constant = {"learning_rate_schedule": None, "learning_rate": 0.001}
    own = {"learning_rate": 0.02}

    def weights(**changes):
        return kind(**settings | changes).fit(X, y).coefs_[0]

    assert_array_equal(weights(), weights(**cosine))
    assert_array_equal(weights(**own), weights(**own | {"learning_rate_schedule": "cosine"}))
    for goes_on in ({"warm_start": True}, {"early_stopping": True}):
        assert_array_equal(weights(**goes_on), weights(**goes_on, **constant))
    decay = keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)
    scheduled = {"learning_rate": decay}
    assert_array_equal(
        weights(**scheduled), weights(**scheduled | {"learning_rate_schedule": None})
    )
    sgd = {"optimizer": "sgd"}  # whose own rate is 0.01
    assert_array_equal(weights(**sgd), weights(**sgd | cosine | {"learning_rate": 0.01}))
    stream = [
        kind(**settings | changes).partial_fit(X, y, *classes)
        for changes in ({}, constant)
        for classes in [[np.unique(y)] if kind is KerasDenseClassifier else []]
    ]
    assert_array_equal(stream[0].coefs_[0], stream[1].coefs_[0])


def test_the_automatic_optimizer_forgets_fast():
    adam = keras.optimizers.Adam(beta_2=0.95)
    assert_array_equal(predictions(optimizer="auto"), predictions(optimizer=adam))


@pytest.mark.parametrize(
    ("n_samples", "batch_size"),
    [
        (2, 64),
        (1_024, 64),
        (1_025, 128),
        (8_192, 128),
        (8_193, 256),
        (30_000, 256),
        (30_001, 512),
        (100_000, 512),
        (100_001, 1_024),
        (10**8, 1_024),
    ],
)
def test_automatic_batch_size(n_samples, batch_size):
    assert resolve_batch_size("auto", n_samples) == batch_size


@pytest.mark.parametrize(
    ("given", "n_samples", "batch_size"),
    [
        (1, 100, 1),
        (32, 100, 32),
        (32, 10, 32),
        (100, 100, 100),
        (10_000, 10, 64),
        (10_000, 64, 64),
        (10_000, 65, 128),
        (10_000, 5_000, 8_192),
    ],
)
def test_batch_size_is_cut_to_a_power_of_two_above_the_rows(given, n_samples, batch_size):
    assert resolve_batch_size(given, n_samples) == batch_size


def test_batch_size_above_the_rows_is_one_batch_of_all():
    assert_array_equal(predictions(batch_size=10_000), predictions(batch_size=ROWS + 40))


@pytest.mark.parametrize(
    ("dtype", "data", "n_samples", "resolved"),
    [
        ("auto", np.float64, 64, "float64"),
        ("auto", np.float64, 65, "float32"),
        ("auto", np.float32, 64, "float32"),
        ("auto", np.float32, 65, "float32"),
        ("float64", np.float32, 65, "float64"),
        ("float32", np.float64, 64, "float32"),
    ],
)
def test_dtype_of_training(dtype, data, n_samples, resolved):
    assert resolve_dtype(dtype, np.dtype(data), n_samples, batch_size=64) == resolved


def as_nullable(X):
    return pd.DataFrame(X).astype("Float64" if X.dtype == np.float64 else "Float32")


CONTAINERS = {
    "list": np.ndarray.tolist,
    "tuple": lambda X: tuple(map(tuple, X.tolist())),
    "object": lambda X: X.astype(object),
    "text": lambda X: X.astype(str),
    "frame": pd.DataFrame,
    "frame of objects": lambda X: pd.DataFrame(X.astype(object)),
    "nullable": as_nullable,
    "arrow": lambda X: pd.DataFrame(X).astype("double[pyarrow]"),
    "polars": pl.DataFrame,
    "csr": csr_array,
    "csc": csc_array,
    "by columns": np.asfortranarray,
}
SINGLE = {
    "rows": list,
    "float16": lambda X: X.astype(np.float16),
    "frame": pd.DataFrame,
    "nullable": as_nullable,
    "arrow": lambda X: pd.DataFrame(X).astype("float[pyarrow]"),
    "polars": pl.DataFrame,
    "csr": csr_array,
}


def assert_same_training(one, other):
    for ours, theirs in zip(one._fitted.members[0], other._fitted.members[0], strict=True):
        for name in ours:
            assert ours[name].dtype == theirs[name].dtype
            assert_array_equal(ours[name], theirs[name])


@both
@pytest.mark.parametrize("n_rows", [24, 65])
@pytest.mark.parametrize("container", CONTAINERS)
# Of names that data sets have or lack.
@pytest.mark.filterwarnings("ignore:X.* feature names:UserWarning")
def test_the_same_numbers_train_alike_in_any_container(kind, n_rows, container):
    rows = np.random.default_rng(1).normal(size=(n_rows, 3))
    y = (rows[:, 0] > 0).astype(int)
    network, expected = kind(**SMALL), kind(**SMALL).fit(rows, y)
    assert_same_training(network.fit(CONTAINERS[container](rows), y), expected)
    assert expected._fitted.dtype == ("float64" if n_rows <= 64 else "float32")


@pytest.mark.parametrize("container", SINGLE)
def test_numbers_in_float32_train_in_float32_in_any_container(container):
    rows = np.float32(np.float16(X))
    expected = KerasDenseRegressor(**SMALL).fit(rows, NUMBERS)
    network = KerasDenseRegressor(**SMALL).fit(SINGLE[container](rows), NUMBERS)
    assert_same_training(network, expected)
    assert expected._fitted.dtype == "float32"


@pytest.mark.parametrize("dtype", [int, bool, np.uint8, "Int64"])
def test_whole_numbers_train_as_the_same_ones_in_float64(dtype):
    rows = pd.DataFrame(X > 0).astype(dtype)
    rows = rows if dtype == "Int64" else rows.to_numpy()
    expected = KerasDenseRegressor(**SMALL).fit((X > 0).astype(float), NUMBERS)
    assert_same_training(KerasDenseRegressor(**SMALL).fit(rows, NUMBERS), expected)


@pytest.mark.slow
@pytest.mark.parametrize("container", ["list", "object"])
@pytest.mark.parametrize(
    ("parameters", "weights"),
    [
        ({"validation_fraction": 0.2}, None),
        ({}, np.arange(70) % 5 > 0),
        ({"batch_size": 70}, None),
        ({"batch_size": 8}, None),
        ({"dtype": "float64", "batch_size": 8}, None),
        ({"dtype": "float32"}, None),
    ],
)
def test_the_same_numbers_train_alike_where_rows_are_left_out(container, parameters, weights):
    rows = np.random.default_rng(1).normal(size=(70, 3))
    network = KerasDenseRegressor(**SMALL | parameters)
    expected = clone(network).fit(rows, rows[:, 0], weights)
    network.fit(CONTAINERS[container](rows), rows[:, 0], weights)
    assert_same_training(network, expected)
    assert network.history_ == expected.history_


@pytest.mark.parametrize("container", ["list", "object"])
def test_the_same_numbers_are_watched_alike(container):
    watched = np.random.default_rng(1).normal(size=(100, 3))
    network = KerasDenseRegressor(**SMALL)
    one, other = (
        clone(network).fit(X, NUMBERS, X_val=rows, y_val=watched[:, 0]).history_
        for rows in (watched, CONTAINERS[container](watched))
    )
    assert one == other


@pytest.mark.parametrize("container", ["list", "object"])
@pytest.mark.parametrize("n_rows", [24, 100])
def test_later_chunks_train_alike_in_any_container(container, n_rows):
    rows = np.random.default_rng(1).normal(size=(n_rows, 3))
    network, expected = (KerasDenseRegressor(**SMALL).partial_fit(X, NUMBERS) for _ in range(2))
    network.partial_fit(CONTAINERS[container](rows), rows[:, 0])
    assert_same_training(network, expected.partial_fit(rows, rows[:, 0]))


@pytest.mark.slow
@both
@pytest.mark.parametrize(
    ("parameters", "data", "expected"),
    [
        ({}, np.float64, np.float64),
        ({}, np.float32, np.float32),
        ({"batch_size": 8}, np.float64, np.float32),
        ({"dtype": "float64", "batch_size": 8}, np.float32, np.float64),
        ({"dtype": "float32"}, np.float64, np.float32),
    ],
)
def test_weights_have_the_dtype_of_training_and_predictions_that_of_x(
    kind, parameters, data, expected
):
    settings = SMALL | {"depth": 0, "epochs": 1} | parameters
    network = kind(**settings).fit(X.astype(data), CLASSES)
    assert network._fitted.members[0][0]["kernel"].dtype == expected
    answer = network.predict if kind is KerasDenseRegressor else network.predict_proba
    for dtype in (np.float32, np.float64):
        assert answer(X.astype(dtype)).dtype == dtype


# --- random state ------------------------------------------------------------------------


@pytest.fixture
def global_random_state():
    """Put NumPy's global random state back afterwards."""
    state = np.random.get_state()  # noqa: NPY002 - the global state is what is tested
    yield
    np.random.set_state(state)  # noqa: NPY002


@pytest.mark.usefixtures("global_random_state")
def test_random_state_none_draws_from_numpys_global_state():
    np.random.seed(0)  # noqa: NPY002
    first, second = predictions(random_state=None), predictions(random_state=None)
    np.random.seed(0)  # noqa: NPY002
    assert_array_equal(predictions(random_state=None), first)
    assert not np.array_equal(first, second)


def test_random_state_int_repeats_and_leaves_the_global_state():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert_array_equal(predictions(random_state=1), predictions(random_state=1))
    assert not np.array_equal(predictions(random_state=1), predictions(random_state=2))
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_random_state_instance_starts_like_its_seed_and_advances():
    instance = np.random.RandomState(1)
    first, second = predictions(random_state=instance), predictions(random_state=instance)
    assert_array_equal(first, predictions(random_state=1))
    assert not np.array_equal(first, second)


# --- documentation -----------------------------------------------------------------------


KINDS = [
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
]
every = pytest.mark.parametrize("kind", KINDS)


def signature_defaults(kind):
    return {p.name: p.default for p in inspect.signature(kind).parameters.values()}


def documented_defaults(kind):
    """Return the parameters of a numpydoc docstring with their defaults, in order."""
    _, _, rest = inspect.getdoc(kind).partition("\nParameters\n----------\n")
    section, _, _ = rest.partition("\n\nAttributes\n----------\n")
    entries = re.findall(r"^(\w[\w, ]*) : .*?default=(.+)$", section, re.MULTILINE)
    return {
        name: ast.literal_eval(default) for names, default in entries for name in names.split(", ")
    }


@every
def test_documented_defaults_are_those_of_the_signature(kind):
    documented = {name: repr(value) for name, value in documented_defaults(kind).items()}
    assert documented == {name: repr(value) for name, value in signature_defaults(kind).items()}


@every
def test_parameters_are_documented_in_the_order_of_the_signature(kind):
    assert list(documented_defaults(kind)) == list(signature_defaults(kind))


@every
def test_parameters_are_keyword_only(kind):
    kinds = {p.kind for p in inspect.signature(kind).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_both_estimators_share_their_parameters():
    classifier = signature_defaults(KerasDenseClassifier)
    regressor = signature_defaults(KerasDenseRegressor)
    place = list(regressor).index("standardize_target")
    assert list(classifier).index("class_weight") == place - 1  # after the quantiles
    assert regressor.pop("quantiles") is None
    assert regressor.pop("standardize_target") is True
    assert classifier.pop("class_weight") is None
    assert classifier.pop("calibration") is None
    assert list(classifier.items()) == list(regressor.items())


@every
def test_every_parameter_has_a_constraint(kind):
    assert set(kind().get_params()) == set(signature_defaults(kind))
    assert set(kind().get_params()) <= set(CONSTRAINTS)


def test_every_constraint_has_a_parameter():
    used = set().union(*(kind().get_params() for kind in KINDS))
    assert set(CONSTRAINTS) == used


@pytest.mark.parametrize(
    ("dense", "tabular"),
    [(KerasDenseClassifier, KerasTabularClassifier), (KerasDenseRegressor, KerasTabularRegressor)],
)
def test_estimators_of_tables_have_the_same_parameters(dense, tabular):
    own = signature_defaults(tabular)
    limits = own.pop("min_frequency"), own.pop("max_categories")
    assert (own.pop("categorical_features"), *limits) == ("from_dtype", 2, 10_000)
    assert list(own) == list(signature_defaults(dense))


@every
def test_the_constructor_stores_what_it_is_given(kind):
    given = {name: object() for name in signature_defaults(kind)}
    network = kind(**given)
    assert all(getattr(network, name) is value for name, value in given.items())
