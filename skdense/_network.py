"""A dense network as data: its stages, its initial weights, and its forward pass in NumPy.

A network is a sequence of stages. What each stage means is said five times, always by one
function per stage type: initial weights and NumPy forward pass here, the traced forward pass
in ``training.forward``, the Keras layers in ``_keras_view``, the ONNX operators in
``_onnx_graph``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from ._activations import NUMPY_ACTIVATIONS
from ._keras_objects import Activation as ActivationFunction
from ._keras_objects import activation_function
from ._tensorflow import require_eager

Array = NDArray[np.floating]
StageWeights = dict[str, Array]
Weights = tuple[StageWeights, ...]
Initializer = Callable[[int, tuple[int, int], str], Array]

# Both as keras.layers.BatchNormalization has them by default.
NORMALIZATION_EPSILON = 1e-3
NORMALIZATION_MOMENTUM = 0.99

# Statistics that a training step replaces; all other weights follow the gradient.
MOVING_STATISTICS = ("moving_mean", "moving_variance")

# Numbers in the widest layer of one block of rows: 4 MB in float32, which stays in cache.
_BLOCK_SIZE = 2**20
_FEWEST_ROWS = 64  # in a block, however wide the layers

# So many weights are cast in a tenth of the time that a prediction takes anyway (0.2 ms).
_FEW_WEIGHTS = 2**15
# For so few rows float64 weights cost more to cast to float32 than to multiply by.
_FEW_ROWS = 16
# An input from which float32 could overflow on its way: the root of its largest number.
_LARGEST = 1e19


@dataclass(frozen=True)
class Dense:
    """``x @ kernel + bias``, from (rows, n_inputs) to (rows, n_units)."""

    n_inputs: int
    n_units: int


@dataclass(frozen=True)
class Normalization:
    """Batch normalization of ``n_units`` columns."""

    n_units: int


@dataclass(frozen=True)
class Activation:
    """An activation function: a Keras name, a Keras object's configuration, or a callable."""

    function: ActivationFunction


@dataclass(frozen=True)
class Dropout:
    """Dropout, which only training does.

    The rate is data of a training, not structure: networks that differ by it alone are equal
    and share a compiled program.
    """

    rate: float = field(compare=False)


Stage = Dense | Normalization | Activation | Dropout


@dataclass(frozen=True)
class Network:
    """The architecture: stages up to the last dense layer, then the output's activation."""

    stages: tuple[Stage, ...]
    output: Activation

    @property
    def without_dropout(self) -> Network:
        """What prediction is made of."""
        kept = tuple(stage for stage in self.stages if not isinstance(stage, Dropout))
        return Network(kept, self.output)

    @property
    def n_inputs(self) -> int:
        return self.dense[0].n_inputs

    @property
    def n_outputs(self) -> int:
        return self.dense[-1].n_units

    @property
    def dense(self) -> list[Dense]:
        return [stage for stage in self.stages if isinstance(stage, Dense)]

    @property
    def n_weights(self) -> int:
        """Kernels and biases, counted by numbers."""
        return sum((stage.n_inputs + 1) * stage.n_units for stage in self.dense)

    @property
    def dropout_rates(self) -> list[float]:
        return [stage.rate for stage in self.stages if isinstance(stage, Dropout)]


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer as the user describes it."""

    units: int
    activation: ActivationFunction
    dropout: float


def build_network(
    n_inputs: int,
    hidden: Sequence[HiddenLayer],
    n_outputs: int,
    output_activation: ActivationFunction,
    batch_normalization: bool,
) -> Network:
    """Lay out dense, normalization, activation and dropout of every layer as stages."""
    stages: list[Stage] = []
    for layer in hidden:
        stages.append(Dense(n_inputs, layer.units))
        if batch_normalization:
            stages.append(Normalization(layer.units))
        stages.append(Activation(layer.activation))
        if layer.dropout > 0:
            stages.append(Dropout(layer.dropout))
        n_inputs = layer.units
    stages.append(Dense(n_inputs, n_outputs))
    return Network(tuple(stages), Activation(output_activation))


# --- initial weights ---------------------------------------------------------------------


@singledispatch
def stage_weights(stage: Stage, kernel: Callable[[tuple[int, int]], Array]) -> StageWeights:
    """Return the initial weights of one stage; `kernel` draws a matrix of the given shape."""
    raise TypeError(f"no initial weights for {stage!r}")


@stage_weights.register(Activation)
@stage_weights.register(Dropout)
def _(stage: Stage, kernel: Callable[[tuple[int, int]], Array]) -> StageWeights:
    return {}


@stage_weights.register
def _(stage: Dense, kernel: Callable[[tuple[int, int]], Array]) -> StageWeights:
    drawn = kernel((stage.n_inputs, stage.n_units))
    return {"kernel": drawn, "bias": np.zeros(stage.n_units, drawn.dtype)}


@stage_weights.register
def _(stage: Normalization, kernel: Callable[[tuple[int, int]], Array]) -> StageWeights:
    zeros, ones = np.zeros(stage.n_units), np.ones(stage.n_units)
    return {"gamma": ones, "beta": zeros, "moving_mean": zeros, "moving_variance": ones}


def initial_weights(
    network: Network, initializer: Initializer, seeds: Iterator[int], dtype: str
) -> Weights:
    """Draw the weights that training starts from, one seed for each kernel."""

    def kernel(shape: tuple[int, int]) -> Array:
        return initializer(next(seeds), shape, dtype)

    drawn = [stage_weights(stage, kernel) for stage in network.stages]
    return cast_weights(tuple(drawn), dtype)


def arranged(weights: Weights, network: Network) -> Weights:
    """Return the weights of the same layers as the stages of a network that drops out elsewhere."""
    own = iter([stage for stage in weights if stage])
    return tuple(next(own) if _has_weights(stage) else {} for stage in network.stages)


def _has_weights(stage: Stage) -> bool:
    return isinstance(stage, Dense | Normalization)


def are_finite(weights: Weights) -> bool:
    """Say whether no number of the weights is NaN or infinite."""
    return all(np.isfinite(array).all() for stage in weights for array in stage.values())


def cast_weights(weights: Weights, dtype: Any) -> Weights:
    """Return the weights in a dtype, without a copy where they have it."""
    return tuple(
        {name: array.astype(dtype, copy=False) for name, array in stage.items()}
        for stage in weights
    )


# --- forward pass in NumPy ---------------------------------------------------------------


@singledispatch
def stage_forward(stage: Stage, x: Array, weights: StageWeights) -> Array:
    """Pass a block of rows, (rows, units), through one stage; may overwrite `x`.

    The weights are in the dtype of `x`.
    """
    raise TypeError(f"no forward pass for {stage!r}")


@stage_forward.register
def _(stage: Dense, x: Array, weights: StageWeights) -> Array:
    product = x @ weights["kernel"]
    product += weights["bias"]
    return product


@stage_forward.register
def _(stage: Normalization, x: Array, weights: StageWeights) -> Array:
    scale, shift = scale_and_shift(weights)
    x *= scale
    x += shift
    return x


def scale_and_shift(weights: StageWeights) -> tuple[Array, Array]:
    """Return what batch normalization multiplies by and adds, by its moving statistics."""
    scale = weights["gamma"] / np.sqrt(weights["moving_variance"] + NORMALIZATION_EPSILON)
    return scale, weights["beta"] - weights["moving_mean"] * scale


@stage_forward.register
def _(stage: Activation, x: Array, weights: StageWeights) -> Array:
    if isinstance(stage.function, str) and stage.function in NUMPY_ACTIVATIONS:
        return NUMPY_ACTIVATIONS[stage.function](x)
    require_eager()
    return np.asarray(activation_function(stage.function)(x))


@stage_forward.register
def _(stage: Dropout, x: Array, weights: StageWeights) -> Array:
    return x


def forward(network: Network, weights: Weights, X: Any, *, activate: bool = True) -> Array:
    """Compute the network's outputs, block by block of rows.

    Of a wide network the rows are cast to the dtype of the weights, not the weights to that of
    the rows, which would take longer than the products with a few rows.

    Parameters
    ----------
    network, weights
        What to compute.
    X : ndarray or sparse array of shape (n_samples, n_inputs), float32 or float64
    activate : bool, default=True
        Whether to apply the output's activation; otherwise what goes into it is returned.

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), in the dtype of `X`
    """
    rows = rows_in_block(network, is_sparse=issparse(X))
    has_many_rows = X.dtype == np.float32 and X.shape[0] > _FEW_ROWS
    if network.n_weights <= _FEW_WEIGHTS or has_many_rows:
        weights = cast_weights(weights, X.dtype)
    if X.shape[0] <= rows:
        return _forward_block(network, weights, X, activate)
    outputs = np.empty((X.shape[0], network.n_outputs), X.dtype)
    for start in range(0, X.shape[0], rows):
        block = slice(start, start + rows)
        outputs[block] = _forward_block(network, weights, X[block], activate)
    return outputs


def rows_in_block(network: Network, *, is_sparse: bool) -> int:
    """Return how many rows to compute at once, by the widest layer that is dense."""
    widths = [stage.n_units for stage in network.dense]
    if not is_sparse:
        widths.append(network.n_inputs)
    return max(_FEWEST_ROWS, _BLOCK_SIZE // max(widths))


def _forward_block(network: Network, weights: Weights, X: Any, activate: bool) -> Array:
    # Not the output's activation, lest probabilities in float64 had the rounding of float32.
    outputs = _before_activation(network, weights, X).astype(X.dtype, copy=False)
    return stage_forward(network.output, outputs, {}) if activate else outputs


def _before_activation(network: Network, weights: Weights, X: Any) -> Array:
    """Compute in the dtype of the weights, and in that of X where float32 has no such numbers."""
    if {_dtype(own) for own in weights if own} == {X.dtype}:
        return _through_stages(network, weights, X)
    if _is_far_from_overflow(X):
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = _through_stages(network, weights, X)
        if np.isfinite(outputs).all():
            return outputs
    return _through_stages(network, cast_weights(weights, np.float64), X)


def _is_far_from_overflow(X: Any) -> bool:
    numbers = X.data if issparse(X) else X
    return bool(max(numbers.max(initial=0), -numbers.min(initial=0)) < _LARGEST)


def _through_stages(network: Network, weights: Weights, x: Any) -> Array:
    if not isinstance(network.stages[0], Dense):  # and may overwrite the caller's rows
        x = x.toarray() if issparse(x) else x.copy()
    for stage, own in zip(network.stages, weights, strict=True):
        x = stage_forward(stage, x.astype(_dtype(own), copy=False) if own else x, own)
    return x


def _dtype(weights: StageWeights) -> Any:
    return next(iter(weights.values())).dtype
