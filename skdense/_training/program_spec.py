"""What a program is compiled for, and what goes through it.

Shapes, in einsum letters: k members, s steps, b rows of a batch, f inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._networks.network import Network
from .._networks.stages.stage import StageTensors, Tensor
from .losses import Loss
from .metrics import Metric
from .optimizers import Rule, Slots
from .task import TrainingTask


@dataclass(frozen=True)
class ProgramSpec:
    """All that a program is compiled for; equal specs share one program."""

    network: Network
    loss: Loss
    metrics: tuple[Metric, ...]
    rule: Rule
    clipping: str | None
    penalties: tuple[bool, bool]
    decays_weights: bool
    n_members: int
    n_steps: int
    n_snapshots: int
    batch_size: int
    n_target_columns: int
    dtype: str

    @property
    def shape_of_values(self) -> tuple[int, int, int]:
        """Shape of loss and metrics of every step: s k, 1 + metrics."""
        return self.n_steps, self.n_members, 1 + len(self.metrics)


class State(NamedTuple):
    """What a step changes; every tensor but `step` has a leading member axis."""

    packed: list[Tensor]  # the weights that follow the gradient, see Packing
    slots: list[Slots]  # of the optimizer, for each of these
    moving: list[StageTensors]  # the weights of each stage that every step replaces
    step: Tensor  # how many were taken before a chunk


class Batches(NamedTuple):
    """What each step is given."""

    X: Tensor  # s k b f
    y: Tensor  # s k b o
    share: Tensor  # s k b
    seed: Tensor  # s k 2, of random stages
    learning_rate: Tensor  # s k

    def at(self, i: Tensor) -> Batches:
        """Return what step `i` is given, without the step axis."""
        return Batches(*(tensor[i] for tensor in self))


class ChunkTensors(NamedTuple):
    """A chunk of batches, and where in it to look."""

    batches: Batches
    ends: Tensor  # after how many steps to take each snapshot, in order; the last one ends
    n_ends: Tensor


# Hyperparameters that do not change from step to step: how each is read off a task, and a tensor of
# each, (k,), by the same name. Those of all stages are one after the other, (k, numbers).
NUMBERS: dict[str, Callable[[TrainingTask], Any]] = {
    "l1": lambda task: task.numbers["l1"],
    "l2": lambda task: task.numbers["l2"],
    "weight_decay": lambda task: task.optimizer.weight_decay or 0.0,
    "clip_bound": lambda task: task.optimizer.clip_bound,
    "of_stages": lambda task: task.network.numbers,
}
Numbers = dict[str, Tensor]
