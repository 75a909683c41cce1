"""What is equal for all that compete: their names, settings, and the work done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

import skdense

SKDENSE, MLP = "skdense", "MLPClassifier"
LEARNING_RATE = 0.001


def start_tensorflow() -> None:
    """Import and initialise TensorFlow by a fit that shares no program with what is timed."""
    X = np.linspace(-1, 1, 16, dtype=np.float32).reshape(8, 2)
    skdense.KerasDenseClassifier(units=3, epochs=1, random_state=0).fit(X, np.arange(8) % 2)


def mlp_classifier(
    epochs: int, batch_size: int, *, early_stopping: bool = False, **parameters: Any
) -> MLPClassifier:
    """Return an MLPClassifier without penalty that runs all its epochs."""
    return MLPClassifier(
        alpha=0,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        tol=0,
        early_stopping=early_stopping,
        shuffle=True,
        random_state=0,
        **parameters,
    )


def require_epochs(networks: Mapping[str, Any], epochs: int) -> None:
    """Raise RuntimeError unless all have done the same work."""
    done = {name: network.n_iter_ for name, network in networks.items()}
    if set(done.values()) != {epochs}:
        raise RuntimeError(f"Every network must run {epochs} epochs. Got {done}.")
