"""What a training needs and what it gives back: arrays, numbers and names, no estimator."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from .._backend.keras_objects import LossObject
from .._networks.network import Network, Weights
from .._networks.widening import widen
from .early_stopping import EarlyStopping
from .metrics import Metric
from .optimizers import OptimizerSettings
from .schedules import NamedSchedule, Rate

_MOST_BYTES_COPIED = 2**23

# The weights of networks that are watched together.
Members = tuple[Weights, ...]


class Draw(IntEnum):
    """What random numbers are drawn for; part of their seed."""

    KERNELS = 0
    ORDER = 1
    DROPOUT = 2
    KERAS_DROPOUT = 3
    SPLIT = 4


@dataclass(frozen=True, eq=False)
class ValidationData:
    """Rows that are watched and not trained on, encoded like those of the task."""

    X: Any
    y: NDArray[np.floating]
    sample_weight: NDArray[np.floating] | None


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """What an optimizer remembers between steps.

    Attributes
    ----------
    owner : tuple of str
        The engine, the optimizer's class and its slots; no other can go on from here.
    n_steps : int
    slots : list of tuple of ndarray
        One tuple for each trainable weight; of the Keras engine a single one with all arrays.
    """

    owner: tuple[str, ...]
    n_steps: int
    slots: list[tuple[NDArray[Any], ...]]


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Where a training stopped, for another one to go on from.

    Attributes
    ----------
    weights : one dict of arrays per stage of the network
        After the last epoch, which need not be the best.
    n_epochs : int
    optimizer : OptimizerState or None
        None lets the optimizer begin anew.
    stopping : EarlyStopping or None
        The rule with what it has seen, if there was validation.
    best_weights : one dict of arrays per stage of the network, or None
        Of the rule's best epoch, under early stopping.
    """

    weights: Weights
    n_epochs: int
    optimizer: OptimizerState | None = None
    stopping: EarlyStopping | None = None
    best_weights: Weights | None = None


class EpochListener(Protocol):
    """Somebody who follows a training epoch by epoch."""

    def epoch_begins(self) -> None: ...

    def epoch_ended(
        self, weights: Weights, history: dict[str, list[float]], best_epoch: int, engine: str
    ) -> bool:
        """Take note of the newest epoch; returns whether training is to stop."""
        ...


def generator(seed: int, purpose: Draw, epoch: int = 0, member: int = 0) -> np.random.Generator:
    """Return the source of all random numbers of one kind in an epoch."""
    return np.random.default_rng([seed, member, purpose, epoch])


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
    numbers : dict of str to float
        All parameters that are numbers, by name, such as the penalties "l1" and "l2".
    seed : int
        Every random draw comes from (seed, member, epoch).
    member : int
        Tells apart networks of one seed that train together.
    verbose : {0, 1, 2}
    engine : {"auto", "compiled", "keras"}
    metrics : tuple of Metric
    validation : ValidationData or None
    score : callable or None
        From the weights of those watched together to the watched number, greater being better;
        None watches the loss of `validation`.
    calibrated_loss : callable or None
        Watched in place of it: from what goes into the output's activation, (members, rows,
        outputs) of those that share validation rows, in a list, to a loss.
    stopping : EarlyStopping or None
        The rule, fresh; None keeps the last weights, whatever was better before.
    rows : ndarray of shape (n_used,) or None
        The rows of X, y and sample_weight to train on; None for all.
    callbacks : tuple of keras.callbacks.Callback
        The user's own, borrowed for this training.
    output_scale : tuple of two ndarrays or None
        Mean and scale that turn outputs into the target's own units, for callbacks' model.
    listener : EpochListener or None
        Told of each epoch.
    start : TrainingState or None
        Where to go on; `epochs` are then further ones.
    survives_interrupt : bool
        Whether Ctrl-C ends the training with the weights it has, in place of an exception.
    outputs_are : {"means", "logits", "binary logits", "log-probabilities"}
        What the outputs of an ensemble's networks are: "means" may be averaged as they are, of the
        others the probabilities.
    schedule : {"cosine", "cosine_cycles"} or None
        How the learning rate falls to 0.
    schedule_epochs : int
        Over how many epochs from the start of this training, which may end earlier.
    ensemble : hashable or None
        Tasks of one ensemble are watched together, by the mean of their predictions where they
        share their validation rows, else by what each predicts for its own. None watches this
        network by itself.
    """

    network: Network
    X: Any
    y: NDArray[np.floating]
    sample_weight: NDArray[np.floating] | None
    loss: str | LossObject | Callable[..., Any]
    kernel_initializer: str | Callable[..., Any]
    optimizer: OptimizerSettings
    numbers: Mapping[str, float]
    batch_size: int
    epochs: int
    shuffle: bool
    dtype: str
    seed: int
    member: int = 0
    verbose: int = 0
    engine: str = "auto"
    rows: NDArray[np.intp] | None = None
    metrics: tuple[Metric, ...] = ()
    validation: ValidationData | None = None
    score: Callable[[Members], float] | None = None
    calibrated_loss: Callable[[Sequence[NDArray[np.floating]]], float] | None = None
    stopping: EarlyStopping | None = None
    callbacks: tuple[Any, ...] = ()
    output_scale: tuple[NDArray[Any], NDArray[Any]] | None = None
    listener: EpochListener | None = None
    start: TrainingState | None = None
    survives_interrupt: bool = False
    outputs_are: str = "means"
    schedule: str | None = None
    schedule_epochs: int = 0
    ensemble: Hashable | None = None

    @cached_property
    def compiled_network(self) -> Network:
        """The network that is compiled, which may be wider."""
        # Rows are copied for a wider input, unless they are many.
        n_bytes = self.X.shape[0] * self.X.shape[1] * np.dtype(self.dtype).itemsize
        return widen(self.network, widens_input=n_bytes <= _MOST_BYTES_COPIED)

    @cached_property
    def compiled_rows(self) -> Any:
        """The rows that the compiled network takes."""
        n_rows, n_inputs = self.X.shape[0], self.compiled_network.n_inputs
        if n_inputs == self.X.shape[1]:
            return self.X
        if issparse(self.X):
            return csr_array((self.X.data, self.X.indices, self.X.indptr), (n_rows, n_inputs))
        return np.pad(self.X, ((0, 0), (0, n_inputs - self.X.shape[1])))

    @cached_property
    def n_samples(self) -> int:
        """Number of rows to train on."""
        n_samples: int = self.X.shape[0] if self.rows is None else len(self.rows)
        return n_samples

    @cached_property
    def steps_per_epoch(self) -> int:
        return -(-self.n_samples // self.batch_size)

    @cached_property
    def epoch_numbers(self) -> range:
        """The epochs to run, counted from 0 over all trainings since the first."""
        first = self.start.n_epochs if self.start else 0
        return range(first, first + self.epochs)

    @cached_property
    def acts_between_epochs(self) -> bool:
        """Whether anything looks at the training after each epoch."""
        return bool(self.validation or self.verbose or self.steers_between_epochs)

    @cached_property
    def needs_snapshots(self) -> bool:
        """Whether anything looks at the weights of each epoch."""
        return bool(self.validation or self.steers_between_epochs)

    @cached_property
    def steers_between_epochs(self) -> bool:
        """Whether anything may change the training after each epoch."""
        return bool(self.callbacks or self.listener)

    @property
    def monitor(self) -> str:
        """What is watched, by its name in the history."""
        if self.score is not None:
            return "val_score"
        return "val_loss" if self.calibrated_loss is None else "val_calibrated_loss"

    def learning_rate_from(self, first_step: int) -> Rate:
        """Return the learning rate of a training whose first step has this number."""
        rate = self.optimizer.learning_rate
        if self.schedule is None:
            return rate
        assert isinstance(rate, float)
        n_steps = self.schedule_epochs * self.steps_per_epoch
        return NamedSchedule(self.schedule, rate, first_step, n_steps)

    def resumed_optimizer(self, owner: tuple[str, ...]) -> OptimizerState | None:
        """Return the optimizer's state to go on from, if it is this owner's."""
        state = self.start.optimizer if self.start else None
        return state if state and state.owner == owner else None

    def generator(self, purpose: Draw, epoch: int = 0) -> np.random.Generator:
        """Return the source of all random numbers of one kind in an epoch."""
        return generator(self.seed, purpose, epoch, self.member)


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained network.

    Attributes
    ----------
    weights : one dict of arrays per stage of the network
        Of the best epoch under early stopping, else after the last one.
    history : dict of lists, one number per epoch, under Keras' names
    engine : {"compiled", "keras"}
        Which one ran.
    best_epoch : int
        Of the best watched score, over all trainings since the first, counted from 1; without
        validation the last one.
    state : TrainingState
    was_interrupted : bool
    """

    weights: Weights
    history: dict[str, list[float]]
    engine: str
    best_epoch: int
    state: TrainingState
    was_interrupted: bool = False


@dataclass(frozen=True, eq=False)
class TrainingFailure:
    """Why a task has no trained network."""

    error: Exception


Outcome = TrainingResult | TrainingFailure
