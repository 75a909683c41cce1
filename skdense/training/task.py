"""What a training needs and what it gives back: arrays, numbers and names, no estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._keras_objects import LossObject
from .._network import Network, Weights
from .optimizers import OptimizerSettings


class Draw(IntEnum):
    """What random numbers are drawn for; part of their seed."""

    KERNELS = 0
    ORDER = 1
    DROPOUT = 2
    KERAS_DROPOUT = 3


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """One network to train on one data set.

    Attributes
    ----------
    network : Network
    X : ndarray, memory map or CSR array of shape (n_samples, n_inputs)
    y : ndarray of shape (n_samples, n_target_columns)
        In the compute dtype, encoded as the loss wants it.
    sample_weight : ndarray of shape (n_samples,) or None
        Used as it is; the caller has scaled it and dropped rows of weight 0.
    loss : Keras name, LossObject or callable
    kernel_initializer : Keras name, keras.initializers.Initializer or callable
    optimizer : OptimizerSettings
    l1, l2 : float
        Penalties on every kernel.
    seed : int
        Every random draw comes from (seed, member, epoch).
    member : int
        Tells apart networks of one seed that train together.
    engine : {"auto", "compiled", "keras"}
    """

    network: Network
    X: Any
    y: NDArray[np.floating]
    sample_weight: NDArray[np.floating] | None
    loss: str | LossObject | Callable[..., Any]
    kernel_initializer: str | Callable[..., Any]
    optimizer: OptimizerSettings
    l1: float
    l2: float
    batch_size: int
    epochs: int
    shuffle: bool
    dtype: str
    seed: int
    member: int = 0
    verbose: int = 0
    engine: str = "auto"

    @property
    def n_samples(self) -> int:
        n_samples: int = self.X.shape[0]
        return n_samples

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.n_samples // self.batch_size)

    def generator(self, purpose: Draw, epoch: int = 0) -> np.random.Generator:
        """Return the source of all random numbers of one kind in an epoch."""
        return np.random.default_rng([self.seed, self.member, purpose, epoch])


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network.

    Attributes
    ----------
    weights : one dict of arrays per stage of the network
    history : dict of lists, one number per epoch, under Keras' names
    engine : {"compiled", "keras"}
        Which one ran.
    """

    weights: Weights
    history: dict[str, list[float]]
    engine: str


def require_finite(task: TrainingTask, losses: list[float], first_epoch: int) -> None:
    """Raise ValueError if a loss is NaN or infinite, of epochs from `first_epoch`, from 0."""
    for epoch, loss in enumerate(losses, start=first_epoch):
        if not np.isfinite(loss):
            raise _diverged(task, f"The training loss must stay finite. Got {loss}", epoch)


def require_finite_weights(task: TrainingTask, weights: Weights) -> None:
    """Raise ValueError if the last step, which no loss shows, made weights NaN or infinite."""
    if not all(np.isfinite(array).all() for stage in weights for array in stage.values()):
        message = "The weights must stay finite. Got NaN or infinity after the last step"
        raise _diverged(task, message, task.epochs - 1)


def _diverged(task: TrainingTask, message: str, epoch: int) -> ValueError:
    rate = task.optimizer.learning_rate
    shown = f"{rate:g}" if isinstance(rate, float) else rate.class_name
    return ValueError(
        f"{message} in epoch {epoch + 1} with learning_rate={shown}. Scale the inputs "
        "(StandardScaler), lower learning_rate, set clipnorm=1.0, or check that the loss fits "
        "the target and the output_activation."
    )
