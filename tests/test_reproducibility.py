"""The same seed gives the same bits, and a fit leaves no trace outside the estimator."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from joblib import Parallel, delayed
from sklearn.base import clone

from skdense import KerasDenseClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 5))
Y = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])
NETWORK = KerasDenseClassifier(
    units=(10, 8), epochs=4, batch_size=16, dropout=0.2, batch_normalization=True, random_state=7
)


def fit_and_predict(estimator):
    return clone(estimator).fit(X, Y).predict_proba(X)


@pytest.fixture(scope="module")
def expected():
    return fit_and_predict(NETWORK)


@pytest.mark.slow
def test_again_and_cloned(expected):
    np.testing.assert_array_equal(fit_and_predict(NETWORK), expected)
    twice = clone(NETWORK).fit(X, Y)
    np.testing.assert_array_equal(twice.fit(X, Y).predict_proba(X), expected)


@pytest.mark.parametrize("verbose", [1, 2])
def test_at_any_verbosity(expected, verbose):
    watched = clone(NETWORK).set_params(verbose=verbose)
    np.testing.assert_array_equal(fit_and_predict(watched), expected)


def test_in_eight_threads(expected):
    with ThreadPoolExecutor(8) as threads:
        for result in threads.map(fit_and_predict, [NETWORK] * 16):
            np.testing.assert_array_equal(result, expected)


@pytest.mark.slow
def test_threads_with_different_networks_equal_sequential_fits():
    networks = [clone(NETWORK).set_params(units=(4 + i % 3,), random_state=i) for i in range(12)]
    sequential = [fit_and_predict(network) for network in networks]
    with ThreadPoolExecutor(8) as threads:
        for result, alone in zip(threads.map(fit_and_predict, networks), sequential, strict=True):
            np.testing.assert_array_equal(result, alone)


@pytest.mark.slow
# Polars 1 warns of forks once anything has imported it; joblib 1.3 forks to start its workers.
@pytest.mark.filterwarnings("ignore:Using fork:RuntimeWarning")
def test_in_worker_processes(expected):
    results = Parallel(n_jobs=2)(delayed(fit_and_predict)(NETWORK) for _ in range(4))
    for result in results:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_other_seeds_give_other_networks(engine):
    network = clone(NETWORK).set_params(engine=engine, epochs=1)
    one, again = fit_and_predict(network), fit_and_predict(network)
    other = fit_and_predict(network.set_params(random_state=8))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)])
def test_a_fit_leaves_everything_else_alone(engine):
    data, labels, weights = X.copy(), Y.copy(), np.full(len(X), 2.0)
    network = clone(NETWORK).set_params(
        engine=engine, epochs=1, optimizer=keras.optimizers.Adam(0.01), activation=["relu", "elu"]
    )
    parameters = {name: repr(value) for name, value in network.get_params().items()}
    before = global_state()
    network.fit(data, labels, weights).predict(data)
    assert global_state() == before
    np.testing.assert_array_equal(data, X)
    np.testing.assert_array_equal(labels, Y)
    np.testing.assert_array_equal(weights, 2.0)
    assert {name: repr(value) for name, value in network.get_params().items()} == parameters
    assert int(network.optimizer.iterations) == 0


def global_state():
    """Read what a fit might change, without changing it."""
    algorithm, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - on purpose
    return {
        "numpy": (algorithm, keys.tobytes(), position, has_gauss, gauss),
        "python": random.getstate(),
        "tensorflow": tf.random.get_global_generator().state.numpy().tolist(),
        "environment": dict(os.environ),
        "policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "threads": threading.active_count(),
        "error_handling": np.geterr(),
    }
