"""What is equal for all that compete: their names, settings, and the work done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from _workloads import Workload
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

import skdense

SKDENSE, MLP, KERAS, WRAPPERS, SKORCH = "skdense", "MLP", "Keras", "keras.wrappers", "skorch"
LEARNING_RATE = 0.001


def start_tensorflow() -> None:
    """Import and initialise TensorFlow by a fit that shares no program with what is timed."""
    X = np.linspace(-1, 1, 16, dtype=np.float32).reshape(8, 2)
    skdense.KerasDenseClassifier(units=3, epochs=1, random_state=0).fit(X, np.arange(8) % 2)


def skdense_network(workload: Workload, **options: Any) -> Any:
    """Return the classifier or regressor of skdense for a workload."""
    regression = workload.n_classes is None
    network = skdense.KerasDenseRegressor if regression else skdense.KerasDenseClassifier
    settings: dict[str, Any] = {
        "units": workload.units,
        "batch_size": workload.batch_size,
        "epochs": workload.epochs,
        "learning_rate": LEARNING_RATE,
        "dtype": workload.dtype,
        "random_state": 0,
    }
    return network(**{**settings, **options})


def mlp_network(workload: Workload) -> MLPClassifier | MLPRegressor:
    """Return MLPClassifier or MLPRegressor for a workload; they compute in the rows' dtype."""
    return (MLPRegressor if workload.n_classes is None else MLPClassifier)(
        hidden_layer_sizes=workload.units,
        learning_rate_init=LEARNING_RATE,
        **_mlp_settings(workload.epochs, workload.batch_size),
    )


def mlp_classifier(epochs: int, batch_size: int, **parameters: Any) -> MLPClassifier:
    """Return an MLPClassifier without penalty that runs all its epochs."""
    return MLPClassifier(**_mlp_settings(epochs, batch_size), **parameters)


def _mlp_settings(epochs: int, batch_size: int) -> dict[str, Any]:
    return {
        "alpha": 0,
        "batch_size": batch_size,
        "max_iter": epochs,
        "n_iter_no_change": epochs + 1,
        "tol": 0,
        "random_state": 0,
    }


def require_epochs(networks: Mapping[str, Any], epochs: int) -> None:
    """Raise RuntimeError unless all have done the same work."""
    done = {name: network.n_iter_ for name, network in networks.items()}
    if set(done.values()) != {epochs}:
        raise RuntimeError(f"Every network must run {epochs} epochs. Got {done}.")


def score(workload: Workload, network: Any, X: Any, y: Any) -> float:
    """Return the accuracy, or the R2 of a regression."""
    measure = r2_score if workload.n_classes is None else accuracy_score
    return float(measure(y, network.predict(X)))
