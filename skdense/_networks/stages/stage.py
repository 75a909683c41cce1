"""What a stage of a network has to say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..onnx_operators import Node, Operators

Array = NDArray[np.floating]
StageWeights = dict[str, Array]
Tensor = Any
StageTensors = dict[str, Tensor]

_MOST_UNITS = 2**53


class Kind(Enum):
    """Where the numbers of a weight come from."""

    TRAINED = "they follow the gradient"
    MOVING = "each training step replaces them"
    FITTED = "they are computed from the training rows, before training"


class WeightSpec(NamedTuple):
    """What is known of a weight before it has numbers.

    Attributes
    ----------
    shape : tuple of int
    kind : Kind
    is_penalised : bool
        Whether the penalties `l1` and `l2` are on it.
    is_decayed : bool
        Whether `weight_decay` acts on it.
    """

    shape: tuple[int, ...]
    kind: Kind = Kind.TRAINED
    is_penalised: bool = False
    is_decayed: bool = True


class StageBatch(NamedTuple):
    """What a stage may have to know of a batch in training, besides its rows.

    Shapes, in einsum letters: k members, b rows of a batch.
    """

    is_row: Tensor  # k b, 1 for rows and 0 for padding
    seed: Tensor  # k 2, of a stage that is random
    numbers: Tensor  # k, one for each of the stage's `numbers`; None for a stage without


class StageDraws(Protocol):
    """What draws the numbers that weights start from."""

    def kernel(self, shape: tuple[int, int]) -> Array:
        """Return a kernel by the initializer that the user chose."""
        ...

    def uniform(self, shape: tuple[int, ...], limit: float) -> Array:
        """Return numbers between -limit and limit, all as likely."""
        ...

    def normal(self, shape: tuple[int, ...], spread: float) -> Array:
        """Return numbers of a normal distribution around 0."""
        ...


class LayerSettings(NamedTuple):
    """How a stage's Keras layers are to be built.

    Attributes
    ----------
    dtype : {"float32", "float64"}
    kernel_regularizer : keras.regularizers.Regularizer or None
        Of weights that are penalised.
    seed : int
        A layer constructed without one draws it from Python's global random state.
    name : str
    activation : str, callable or keras.layers.Layer
        To apply at the end, of a stage that `takes_activation`; else "linear".
    """

    dtype: str
    kernel_regularizer: Any
    seed: int
    name: str
    activation: Any


class Stage(ABC):
    """One step on the way of rows through a network; subclasses are frozen dataclasses.

    A stage is part of the key of a compiled program. A field that is but a number of a training
    has ``field(compare=False)``, and is listed in `numbers`.
    """

    takes_sparse: ClassVar[bool] = False
    """Whether `forward` takes sparse rows too, and leaves its input as it is."""
    takes_activation: ClassVar[bool] = False
    """Whether its Keras layer applies the activation that comes next."""
    is_random: ClassVar[bool] = False
    """Whether training draws numbers in it."""
    scales_columns: ClassVar[bool] = False
    """Whether it brings raw columns to a scale near 1.

    It then gets them in their own precision, and computes in float64 until they are scaled: in
    float32, columns far from 0 lose their digits.
    """

    @abstractmethod
    def width_out(self, width_in: int) -> int:
        """Return the number of columns that come out; ValueError if those do not fit."""

    def width_inside(self, width_in: int) -> int:
        """Return how many numbers of a row it holds at once."""
        return max(width_in, self.width_out(width_in))

    @property
    @abstractmethod
    def description(self) -> str:
        """One line on it."""

    @abstractmethod
    def forward(self, x: Array, weights: StageWeights) -> Array:
        """Pass rows, (rows, width), through it in NumPy; may overwrite `x` unless it takes sparse.

        The weights are in the dtype of `x`, unless it `scales_columns`.
        """

    @abstractmethod
    def trace(
        self, x: Tensor, weights: StageTensors, batch: StageBatch | None
    ) -> tuple[Tensor, StageTensors]:
        """Pass (members, rows, width) through it in TensorFlow, for the compiled program.

        In prediction, rows that all members share may come as (1, rows, width).
        Returns the result, and new values of moving weights. Without a batch as in prediction.
        """

    @abstractmethod
    def keras_layers(self, settings: LayerSettings) -> Sequence[Any]:
        """Return layers of Keras that compute the same, without weights yet."""

    @abstractmethod
    def onnx_graph(self, ops: Operators, weights: StageWeights, x: Node) -> Node:
        """Return operators of ONNX that compute the same as `forward`."""

    @property
    def weight_specs(self) -> dict[str, WeightSpec]:
        """Its weights by name, in the order in which they are drawn, packed and given to Keras."""
        return {}

    @property
    def numbers(self) -> tuple[float, ...]:
        """Numbers of a training that are no part of the program's key."""
        return ()

    @property
    def n_codes(self) -> int:
        """Of how many columns, the last of X, `fit` is to see the codes in place of all rows.

        Stages before it pass them as they are. 0 for a stage that is fitted to what comes in.
        """
        return 0

    @property
    def is_sound(self) -> bool:
        """Whether its fields, perhaps of a file from anybody, may be what they are."""
        return True

    def are_sound(self, weights: StageWeights) -> bool:
        """Say whether weights, perhaps of a file from anybody, give numbers."""
        return all(np.isfinite(array).all() for array in weights.values())

    def start(self, draw: StageDraws) -> StageWeights:
        """Return what trained and moving weights start from."""
        return {}

    def fit(self, x: Array, sample_weight: Array | None) -> StageWeights:
        """Return the fitted weights for training rows as they come in, (rows, width)."""
        return {}

    @property
    def keras_names(self) -> dict[str, str]:
        """How the variables of trained weights are called in its Keras layers, by weight."""
        return {name: name for name in self.weight_specs}

    @property
    def n_keras_variables(self) -> int:
        """How many variables its Keras layers have, see `to_keras`."""
        return len(self.weight_specs)

    def to_keras(self, weights: StageWeights) -> list[Array]:
        """Return the weights as the variables of its Keras layers, in their order."""
        return [weights[name] for name in self.weight_specs]

    def from_keras(self, variables: Sequence[Array]) -> StageWeights:
        """Undo `to_keras`."""
        return dict(zip(self.weight_specs, variables, strict=True))


def is_size(value: Any) -> bool:
    """Say whether a value is a number of columns."""
    return type(value) is int and 1 <= value <= _MOST_UNITS


def require_width(expected: int, width_in: int) -> None:
    """Raise ValueError unless a stage gets as many columns as it is made for."""
    if width_in != expected:
        raise ValueError(f"a stage for {expected} columns gets {width_in}")
