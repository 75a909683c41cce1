"""Searches over architectures and columns, as each contestant puts them; for fresh processes."""

from __future__ import annotations

import importlib
import time
from itertools import product
from typing import Any

import numpy as np
from _data import generate
from _memory import resident_megabytes
from _peers import MLP
from joblib import parallel_config
from scipy.stats import loguniform, randint
from sklearn.datasets import make_classification
from sklearn.feature_selection import RFE, SequentialFeatureSelector
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neural_network import MLPClassifier

from skdense import KerasDenseClassifier
from skdense._training.program import trace_count

SIDE_BY_SIDE, PLAIN = "skdense, side by side", "skdense"
RATES = loguniform(1e-3, 1e-1)
# With 16 widths and 6 depths, 1,056 architectures.
ACTIVATIONS = "celu", "elu", "gelu", "hard_tanh", "leaky_relu", "mish", "relu", "relu6", "selu"
ACTIVATIONS += "silu", "tanh"


def time_widths(
    peer: str, n_candidates: int, n_folds: int, n_rows: int, n_columns: int, widest: int
) -> dict[str, Any]:
    """Time a random search over widths, depths, activations and learning rates."""
    X, y = make_classification(n_rows, n_columns, n_informative=n_columns // 2, random_state=0)
    depths, activations = [1, 2, 3], ["relu", "tanh"]
    if peer == MLP:
        shapes = [(width,) * depth for width in range(4, widest + 1) for depth in depths]
        network, space = MLPClassifier(random_state=0), {"hidden_layer_sizes": shapes}
        space |= {"activation": activations, "learning_rate_init": RATES}
    else:
        network, space = KerasDenseClassifier(random_state=0), {"units": randint(4, widest + 1)}
        space |= {"depth": depths, "activation": activations, "learning_rate": RATES}
    search = RandomizedSearchCV(
        network, space, n_iter=n_candidates, cv=n_folds, random_state=0, refit=False
    )
    seconds = _time(peer, lambda: search.fit(X, y))
    return {"seconds": seconds, "score": float(search.best_score_), "programs": trace_count()}


def time_selection(peer: str, n_rows: int, n_columns: int, n_kept: int) -> dict[str, Any]:
    """Time the elimination of columns one by one, and the choice of a few one by one."""
    X, y = make_classification(n_rows, n_columns, n_informative=n_kept, random_state=0)
    network = MLPClassifier(random_state=0)
    if peer != MLP:
        network = KerasDenseClassifier(units=100, depth=1, random_state=0)
    eliminate = RFE(network, n_features_to_select=n_kept, importance_getter=_weigh_columns)
    choose = SequentialFeatureSelector(network, n_features_to_select=min(3, n_kept), cv=3)
    return {
        "RFE": _time(peer, lambda: eliminate.fit(X, y)),
        "SequentialFeatureSelector": _time(peer, lambda: choose.fit(X, y)),
    }


def time_large(peer: str, n_rows: int, n_columns: int, units: int, epochs: int) -> dict[str, Any]:
    """Time a grid search over learning rates of a network that keeps all processors busy."""
    X, y = generate(n_rows, n_columns, n_classes=10)
    network = KerasDenseClassifier(
        units=units, depth=1, batch_size=128, epochs=epochs, random_state=0
    )
    grid = {"learning_rate": [0.0003, 0.001, 0.003, 0.01]}
    search = GridSearchCV(network, grid, cv=2, refit=False)
    seconds = _time(peer, lambda: search.fit(X, y))
    return {"seconds": seconds, "score": float(search.best_score_)}


def count_architectures(n_architectures: int, deepest: int) -> dict[str, Any]:
    """Time each hundred of many fits of different architectures, and what they leave."""
    X, y = make_classification(250, 10, random_state=0)
    network = KerasDenseClassifier(epochs=2, random_state=0, engine="compiled")
    network.fit(X, y)
    before, seconds, grown = resident_megabytes(), [], []
    architectures = list(product(range(16, 257, 16), range(1, deepest + 1), ACTIVATIONS))
    # Lest the wide ones, which compile longer, come last.
    order = np.random.default_rng(0).permutation(len(architectures))
    for start in range(0, n_architectures, max(1, n_architectures // 10)):
        started = time.perf_counter()
        for number in range(start, min(start + n_architectures // 10, n_architectures)):
            units, depth, activation = architectures[order[number]]
            network.set_params(units=units, depth=depth, activation=activation).fit(X, y)
        seconds.append(time.perf_counter() - started)
        grown.append(resident_megabytes() - before)
    return {"seconds": seconds, "programs": trace_count(), "grown": grown}


def _weigh_columns(network: Any) -> np.ndarray:
    return np.abs(network.coefs_[0]).sum(axis=1)


def _time(peer: str, run: Any) -> float:
    if peer != MLP:  # the time starts when TensorFlow has been imported, but has not run
        importlib.import_module("keras")
        importlib.import_module("tensorflow")
    started = time.perf_counter()
    if peer == SIDE_BY_SIDE:
        with parallel_config(backend="skdense"):
            run()
    else:
        run()
    return time.perf_counter() - started
