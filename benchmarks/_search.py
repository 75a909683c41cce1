"""One search for a network of the penguins, as each contestant puts it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from _data import penguin_preparation, penguins
from _peers import MLP, SKDENSE, WRAPPERS, mlp_classifier
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.pipeline import Pipeline

import skdense


@dataclass(frozen=True)
class Search:
    """A grid of networks for the penguins."""

    units: tuple[int, ...] = (8, 16, 32)
    depths: tuple[int, ...] = (1, 2)
    activations: tuple[str, ...] = ("relu", "tanh")
    learning_rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03)
    n_folds: int = 5
    batch_size: int = 32
    epochs: int = 50

    @property
    def n_architectures(self) -> int:
        """Candidates that differ in more than their learning rate."""
        return len(self.units) * len(self.depths) * len(self.activations)

    @property
    def n_candidates(self) -> int:
        """Candidates of the grid."""
        return self.n_architectures * len(self.learning_rates)

    def n_fits(self, n_candidates: int) -> int:
        """Fits of a search over some of the candidates, the best one's on all rows included."""
        return n_candidates * self.n_folds + 1

    def __str__(self) -> str:
        return (
            f"GridSearchCV of {self.n_candidates} candidates, {self.n_architectures} "
            f"architectures, x {self.n_folds} folds of the penguins, batch {self.batch_size}, "
            f"{self.epochs} epochs"
        )


def time_search(
    search: Mapping[str, Any],
    peer: str,
    n_jobs: int,
    backend: str | None,
    n_times: int,
    n_candidates: int | None,
) -> dict[str, Any]:
    """Search some times over; to be called in a fresh process.

    Parameters
    ----------
    search : dict
        Fields of a `Search`.
    peer : str
    n_jobs : int
    backend : str or None
        Of joblib; None for its default.
    n_times : int
    n_candidates : int or None
        How many of the candidates to try, evenly spread; None for all.

    Returns
    -------
    dict
        ``seconds`` of each search, and the best ``score``, a mean over the folds.
    """
    grid_search, options = _searches(Search(**search), peer, n_jobs, n_candidates)
    X, y = penguins()
    if peer != MLP:  # the time starts when TensorFlow has been imported, but has not run
        importlib.import_module("keras")
        importlib.import_module("tensorflow")
    seconds = []
    with _backend(backend):
        for _ in range(n_times):
            started = time.perf_counter()
            grid_search.fit(X, y, **options)
            seconds.append(time.perf_counter() - started)
    return {"seconds": seconds, "score": float(grid_search.best_score_)}


def _backend(name: str | None) -> AbstractContextManager[Any]:
    return nullcontext() if name is None else parallel_config(backend=name)


def _searches(
    search: Search, peer: str, n_jobs: int, n_candidates: int | None
) -> tuple[GridSearchCV, dict[str, Any]]:
    """Return a contestant's search, and what its `fit` takes besides the data."""
    network, grid, options = _NETWORKS[peer](search)
    candidates = list(ParameterGrid({f"network__{name}": own for name, own in grid.items()}))
    if n_candidates is not None:
        step = (len(candidates) - 1) / max(1, n_candidates - 1)
        candidates = [candidates[round(i * step)] for i in range(n_candidates)]
    grid_search = GridSearchCV(
        Pipeline([("preparation", penguin_preparation()), ("network", network)]),
        [{name: [value] for name, value in candidate.items()} for candidate in candidates],
        scoring=partial(_accuracy, search.epochs),
        cv=search.n_folds,
        n_jobs=n_jobs,
        error_score="raise",
    )
    return grid_search, {f"network__{name}": value for name, value in options.items()}


def _accuracy(epochs: int, pipeline: Pipeline, X: Any, y: Any) -> float:
    """Return the accuracy of a network that must have been trained for all its epochs."""
    network = pipeline[-1]
    done = network.n_iter_ if hasattr(network, "n_iter_") else len(network.history_.epoch)
    if done != epochs:
        raise RuntimeError(f"Every network must run {epochs} epochs. Got {done} of {network}.")
    return float(pipeline.score(X, y))


def _skdense(search: Search) -> tuple[Any, dict[str, list[Any]], dict[str, Any]]:
    network = skdense.KerasDenseClassifier(
        batch_size=search.batch_size, epochs=search.epochs, random_state=0
    )
    grid = {
        "units": list(search.units),
        "depth": list(search.depths),
        "activation": list(search.activations),
        "learning_rate": list(search.learning_rates),
    }
    return network, grid, {}


def _mlp(search: Search) -> tuple[Any, dict[str, list[Any]], dict[str, Any]]:
    grid = {
        "hidden_layer_sizes": [(u,) * depth for u in search.units for depth in search.depths],
        "activation": list(search.activations),
        "learning_rate_init": list(search.learning_rates),
    }
    return mlp_classifier(search.epochs, search.batch_size), grid, {}


def _wrappers(search: Search) -> tuple[Any, dict[str, list[Any]], dict[str, Any]]:
    """Return the wrapper of Keras, whose units and depth have no name to be searched by.

    Epochs and batch size have to be given to `fit`: `clone`, which a search begins each fit
    with, forgets the `fit_kwargs` of the constructor, so that all networks would train for one
    epoch. `_accuracy` looks at what was trained.
    """
    import keras
    from _keras_peers import model_for

    network = keras.wrappers.SKLearnClassifier(model_for)
    kwargs = [
        {
            "units": (units,) * depth,
            "loss": "categorical_crossentropy",
            "activation": activation,
            "learning_rate": rate,
        }
        for units in search.units
        for depth in search.depths
        for activation in search.activations
        for rate in search.learning_rates
    ]
    options = {"batch_size": search.batch_size, "epochs": search.epochs, "verbose": 0}
    return network, {"model_kwargs": kwargs}, options


_NETWORKS = {SKDENSE: _skdense, MLP: _mlp, WRAPPERS: _wrappers}
