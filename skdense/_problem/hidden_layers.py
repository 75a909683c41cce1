"""What the parameters of the hidden layers amount to together."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from .._backend.keras_objects import ActivationFunction, activation_function, as_activation
from .._backend.loading import load_tensorflow
from .._networks.network import HiddenLayer, Network, build_network
from .._networks.numpy_activations import NUMPY_ACTIVATIONS
from .constraints import LARGEST_COUNT, as_float, require_hashable
from .input_stages import make_input_stages
from .keras_configuration import describe_or_fail
from .known_names import name_unknown
from .remembering import remember_plain


@remember_plain
def resolve_network(
    n_inputs: int,
    n_outputs: int,
    output_activation: Any,
    embedded: tuple[int, ...] | None,
    category_sizes: tuple[int, ...] | None,
    *,
    units: Any,
    depth: int | None,
    activation: Any,
    dropout: Any,
    batch_normalization: bool,
    input_scaling: str | None,
    numeric_embedding: str | None,
    embedding_units: int,
    n_bins: int,
    learned_scale: bool,
) -> Network:
    """Lay out the network.

    The hidden layers are as `resolve_hidden_layers` writes them out, what stands before them as
    `make_input_stages` does.
    """
    hidden = resolve_hidden_layers(units, depth, activation, dropout)
    normalizes = bool(batch_normalization)
    first = make_input_stages(
        n_inputs,
        embedded or (),
        category_sizes or (),
        input_scaling,
        numeric_embedding,
        embedding_units,
        n_bins,
        learned_scale,
    )
    return build_network(n_inputs, hidden, n_outputs, output_activation, normalizes, first)


def resolve_hidden_layers(
    units: Any, depth: int | None, activation: Any, dropout: Any
) -> list[HiddenLayer]:
    """Write out the hidden layers.

    With units=128, depth=None gives widths [128, 128], depth=1 [128] and depth=0 none, a
    linear model. With units=(64, 32) the depth is the sequence's length.
    """
    if is_single_value(units):
        n_layers = 2 if depth is None else int(depth)
    else:
        units = list(units)
        n_layers = len(units)
        if depth is not None and depth != n_layers:
            raise ValueError(
                f"depth must agree with the sequence given as units. Got depth={depth} and "
                f"{n_layers} widths, units={units}. Leave depth=None, or give one width."
            )
    widths = _spread_over_layers("units", units, n_layers, _require_units)
    activations = _spread_over_layers(
        "activation", activation, n_layers, _resolve_hidden_activation
    )
    rates = _spread_over_layers("dropout", dropout, n_layers, _require_rate)
    return [HiddenLayer(*layer) for layer in zip(widths, activations, rates, strict=True)]


def _spread_over_layers(
    name: str, value: Any, n_layers: int, convert: Callable[[Any], Any]
) -> list[Any]:
    """Return one converted value for each hidden layer, from one for all or a sequence."""
    if is_single_value(value):
        return [convert(value)] * n_layers
    items = list(value)
    if len(items) != n_layers:
        raise ValueError(
            f"{name} must be one value for all hidden layers or one per hidden layer. Got "
            f"{len(items)} values, {items}, for {n_layers} hidden layers."
        )
    return [convert(item) for item in items]


def is_single_value(value: Any) -> bool:
    if isinstance(value, list | tuple):  # perhaps of lists of several lengths
        return False
    return isinstance(value, str) or callable(value) or np.ndim(value) == 0


def _require_units(units: Any) -> int:
    if not isinstance(units, Integral) or isinstance(units, bool | np.bool_) or units < 1:
        raise ValueError(f"units must be whole numbers of at least 1. Got {units!r}.")
    if int(units) > LARGEST_COUNT:
        raise ValueError(f"units must be whole numbers up to {LARGEST_COUNT}. Got a larger one.")
    return int(units)


def _require_rate(rate: Any) -> float:
    if not 0 <= as_float(rate) < 1:
        raise ValueError(f"dropout must be rates of at least 0 and below 1. Got {rate!r}.")
    return float(rate)


def _resolve_hidden_activation(activation: Any) -> ActivationFunction:
    return resolve_activation("activation", activation)


def resolve_activation(name: str, activation: Any) -> ActivationFunction:
    """Check an activation; return its Keras name, configuration, or the callable itself."""
    if hasattr(activation, "get_config"):
        describe_or_fail(name, activation)
    resolved = as_activation(activation)
    if not isinstance(resolved, str) and not callable(activation):
        raise ValueError(f"{name} must be a Keras name or a callable. Got {activation!r}.")
    require_hashable(name, resolved)
    require_elementwise(name, activation, resolved)
    return resolved


def require_elementwise(name: str, given: Any, activation: ActivationFunction) -> None:
    """Raise ValueError unless a resolved activation is one of NumPy's, or keeps shapes in Keras."""
    if isinstance(activation, str) and activation in NUMPY_ACTIVATIONS:
        return
    try:
        function = activation_function(activation)
    except ValueError:
        raise name_unknown(name, given, NUMPY_ACTIVATIONS) from None
    _require_elementwise_shape(name, given, function)


@remember_plain
def resolve_output_activation(activation: Any) -> ActivationFunction:
    """Check the output's activation, or leave "auto" for the target to settle."""
    return "auto" if activation == "auto" else resolve_activation("output_activation", activation)


def _require_elementwise_shape(name: str, given: Any, function: Callable[..., Any]) -> None:
    tf = load_tensorflow()
    try:
        shape = tuple(function(tf.zeros((2, 4))).shape)
    except Exception as error:
        raise ValueError(
            f"{name} must take one array of shape (rows, units) and need no weights of its "
            f"own. Got {given!r}, which failed: {error}"
        ) from error
    if shape != (2, 4):
        raise ValueError(
            f"{name} must keep the shape of its input. Got {given!r}, which turns (2, 4) "
            f"into {shape}."
        )
