"""skorch, which competes where it and PyTorch are installed."""

from __future__ import annotations

import itertools
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from _data import Array
from _peers import LEARNING_RATE
from _workloads import Workload

IS_INSTALLED = bool(find_spec("torch") and find_spec("skorch"))


def dense_module(sizes: tuple[int, ...], dtype: str) -> Any:
    """Return a network; `sizes` begins with the inputs and ends with the outputs."""
    import torch

    layers: list[Any] = []
    for n_inputs, n_outputs in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_inputs, n_outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).to(getattr(torch, dtype))


class Skorch:
    """skorch's estimator for a workload; each fit trains a new module."""

    def __init__(self, workload: Workload) -> None:
        import skorch
        import torch

        torch.manual_seed(0)
        self._workload = workload
        regression = workload.n_classes is None
        sizes = (workload.n_features, *workload.units, workload.n_outputs)
        network = skorch.NeuralNetRegressor if regression else skorch.NeuralNetClassifier
        self._estimator = network(
            partial(dense_module, sizes, workload.dtype),
            criterion=torch.nn.MSELoss if regression else torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=LEARNING_RATE,
            batch_size=workload.batch_size,
            max_epochs=workload.epochs,
            train_split=None,
            iterator_train__shuffle=True,
            verbose=0,
        )

    @property
    def n_iter_(self) -> int:
        """Epochs run."""
        return len(self._estimator.history)

    def fit(self, X: Array, y: Array) -> None:
        """Train a new module; targets of a regression need a second axis."""
        self._estimator.fit(X, y[:, np.newaxis] if self._workload.n_classes is None else y)

    def predict(self, X: Array) -> Array:
        """Return the most probable class of each row, or a regression's numbers."""
        outputs = np.asarray(self._estimator.predict(X))
        return outputs[:, 0] if self._workload.n_classes is None else outputs
