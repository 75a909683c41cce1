"""An estimator's parameters and its data, put together as a training task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from . import _parameters as parameters
from ._keras_objects import Activation
from ._network import build_network
from ._targets import Head, Target
from ._validation import cast
from .training import OptimizerSettings, TrainingTask

Array = NDArray[Any]


def make_task(
    estimator: Any, target: Target, head: Head, X: Any, y: Array, sample_weight: Array | None
) -> TrainingTask:
    """Resolve every parameter for this data.

    Parameters
    ----------
    estimator
        Its constructor parameters are read, nothing else.
    target : Target
    head : Head
    X : ndarray or CSR array of shape (n_samples, n_features)
    y : ndarray
        What `target` encodes.
    sample_weight : ndarray of shape (n_samples,) or None
    """
    hidden = parameters.resolve_hidden_layers(
        estimator.units, estimator.depth, estimator.activation, estimator.dropout
    )
    batch_size = parameters.resolve_batch_size(estimator.batch_size, X.shape[0])
    dtype = parameters.resolve_dtype(estimator.dtype, X.dtype, X.shape[0], batch_size)
    network = build_network(
        X.shape[1], hidden, target.n_units, head.activation, estimator.batch_normalization
    )
    return TrainingTask(
        network=network,
        X=cast(X, dtype, "X"),
        y=cast(target.encode(y), dtype, "y"),
        sample_weight=sample_weight,
        loss=head.loss,
        kernel_initializer=parameters.resolve_initializer(estimator.kernel_initializer),
        optimizer=resolve_optimizer(estimator),
        l1=float(estimator.l1),
        l2=float(estimator.l2),
        batch_size=batch_size,
        epochs=int(estimator.epochs),
        shuffle=bool(estimator.shuffle),
        dtype=dtype,
        seed=check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max),
        verbose=int(estimator.verbose),
        engine=estimator.engine,
    )


def resolve_output(estimator: Any) -> tuple[Activation, Any]:
    """Return the estimator's output activation and loss, checked; both may be "auto"."""
    activation = parameters.resolve_output_activation(estimator.output_activation)
    return activation, parameters.resolve_loss(estimator.loss)


def resolve_optimizer(estimator: Any) -> OptimizerSettings:
    """Return the estimator's optimizer with its learning rate, decay and clipping."""
    return parameters.resolve_optimizer(
        estimator.optimizer, estimator.learning_rate, estimator.weight_decay, estimator.clipnorm
    )
