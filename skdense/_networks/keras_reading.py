"""A trained ``keras.Sequential`` as a network and its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._backend.keras_objects import as_activation
from .._backend.loading import load_keras, require_eager
from .keras_inputs import read_input_stages
from .network import Network, Weights
from .stages import Activation, Dense, Dropout, Normalization, Stage
from .stages.normalization import EPSILON
from .stages.stage import StageWeights

# Dtypes of computation. Weights of half precision are read into float32, where they are the same.
FLOATING = {"float16", "bfloat16", "float32", "float64"}
_KNOWN = "Dense, Dropout, Activation and BatchNormalization, and layers that are activations"


def members_of(model: Any) -> list[Any]:
    """Return the models that a model is the mean of, as `to_keras` makes it; itself if of none."""
    keras = load_keras()
    if not isinstance(model, keras.Model) or isinstance(model, keras.Sequential):
        return [model]
    _, *members, mean = model.layers
    are_networks = len(members) > 1 and all(type(own) is keras.Sequential for own in members)
    if not are_networks or type(mean) is not keras.layers.Average:
        return [model]
    # That nothing else is between them shows on a few rows.
    width, dtype = model.input_shape[1], model.inputs[0].dtype
    rows = np.random.default_rng(0).standard_normal((8, width)).astype(dtype)
    theirs = np.mean([np.asarray(own(rows)) for own in members], axis=0)
    return members if np.allclose(model(rows), theirs, rtol=1e-4, atol=1e-5) else [model]


def read_models(model: Any) -> tuple[Network, tuple[Weights, ...]]:
    """Return what predicts as a Keras model does, which may be the mean of several alike.

    Raises
    ------
    TypeError, ValueError
        As `read_model`, and where the members are not alike.
    """
    networks, members = zip(*map(read_model, members_of(model)), strict=True)
    if any(network != networks[0] for network in networks):
        raise ValueError("model must be the mean of networks that are alike. Got different ones.")
    return networks[0], members


def read_model(model: Any) -> tuple[Network, Weights]:
    """Return what predicts as a Keras model does.

    Parameters
    ----------
    model : keras.Sequential

    Raises
    ------
    TypeError
        If it is no Sequential.
    ValueError
        If it is not built, or has a layer of another kind, quantized, or with weights that are not
        finite, which is named.
    """
    keras = load_keras()
    if type(model) is not keras.Sequential:
        raise TypeError(
            "model must be a keras.Sequential, such as keras.saving.load_model gives, and of no "
            f"class derived from it, which may do more than its layers. Got {model!r}."
        )
    if not model.built or len(model.input_shape) != 2:
        shape = model.input_shape if model.built else "none; call model.build((None, n_features))"
        raise ValueError(f"model must take rows of features, of shape (None, n). Got {shape}.")
    if model.inputs[0].dtype not in FLOATING:
        raise ValueError(f"model must take floating-point numbers. Got {model.inputs[0].dtype}.")
    require_eager()
    layers = list(model.layers)
    units = layers.pop() if layers and type(layers[-1]) is keras.layers.Rescaling else None
    first = read_input_stages(layers)
    pairs = [*first, *(pair for layer in layers for pair in _read_layer(layer, keras))]
    dense = [number for number, (stage, _) in enumerate(pairs, 1) if isinstance(stage, Dense)]
    n_kept = max(dense, default=0)
    if not n_kept:
        raise ValueError("model must have a Dense layer. Got none.")
    stages, weights = zip(*pairs[:n_kept], strict=True)
    network = Network(
        model.input_shape[1], stages, _read_output([stage for stage, _ in pairs[n_kept:]])
    )
    return network, weights if units is None else _fold_units(weights, network.output, units, keras)


def _fold_units(weights: Weights, output: Stage, layer: Any, keras: Any) -> Weights:
    """Fold the layer by which checkpoints of a regressor have the target's own units."""
    _require_floating(layer, layer, keras)
    if output != Activation("linear"):
        raise ValueError(f"model must be linear before the layer {layer.name!r}. Got {output}.")
    scale, offset, bias = map(np.asarray, (layer.scale, layer.offset, weights[-1]["bias"]))
    if np.broadcast_shapes(scale.shape, offset.shape, bias.shape) != bias.shape:
        raise ValueError(
            f"model must have a scale and an offset for each of its {len(bias)} output(s), or one "
            f"for all. Got shapes {scale.shape} and {offset.shape} in the layer {layer.name!r}."
        )
    rescaled = {"kernel": weights[-1]["kernel"] * scale, "bias": bias * scale + offset}
    return (*weights[:-1], _require_finite(rescaled, layer))


def _read_output(stages: list[Stage]) -> Activation:
    """Return the one activation after the last dense layer; dropout there is of no effect."""
    found = [stage for stage in stages if not isinstance(stage, Dropout)]
    if len(found) > 1 or not all(isinstance(stage, Activation) for stage in found):
        raise ValueError(
            "model must end in a Dense layer and at most one activation. Got after the last Dense "
            f"layer: {', '.join(type(stage).__name__ for stage in found)}."
        )
    return found[0] if found and isinstance(found[0], Activation) else Activation("linear")


def _read_layer(layer: Any, keras: Any) -> list[tuple[Stage, StageWeights]]:
    """Read a layer of an exact type, since a class derived from it may compute something else."""
    layers = keras.layers
    if type(layer) in (layers.Dense, layers.BatchNormalization, layers.Dropout):
        _require_floating(layer, layer, keras)
    if type(layer) is layers.Dense:
        return [_read_dense(layer), *_read_activation(layer.activation, layer, keras)]
    if type(layer) is layers.BatchNormalization:
        return [_read_normalization(layer)]
    if type(layer) is layers.Dropout:
        return [(Dropout(float(layer.rate)), {})] if layer.rate > 0 else []
    return _read_activation(layer, layer, keras)


def _require_floating(part: Any, layer: Any, keras: Any) -> None:
    """Raise ValueError unless a layer, or a part of it, computes with numbers as they are."""
    policy = part.dtype_policy
    dtypes = {policy.compute_dtype, policy.variable_dtype}
    if type(policy) is not keras.DTypePolicy or not dtypes <= FLOATING:
        raise ValueError(
            "model must be made of layers of floating-point numbers, under a plain "
            f"keras.DTypePolicy, not quantized. Got the layer {layer.name!r} under {policy!r}. "
            "Take the model as it was before."
        )


def _require_finite(weights: StageWeights, layer: Any) -> StageWeights:
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"model must have weights that are finite. Got NaN or infinity in the {name} of "
                f"the layer {layer.name!r}."
            )
    return weights


def _read_activation(function: Any, layer: Any, keras: Any) -> list[tuple[Stage, StageWeights]]:
    """Read what a layer applies; activations that are layers are rebuilt from their arguments."""
    layers = keras.layers
    if isinstance(function, layers.Layer):
        _require_known(function, layer, keras)
        _require_floating(function, layer, keras)
        if type(function) is layers.Activation:
            return _read_activation(function.activation, layer, keras)
        if type(function) is layers.Softmax:
            function = "softmax"
    activation = as_activation(function)
    return [] if activation == "linear" else [(Activation(activation), {})]


def _require_known(function: Any, layer: Any, keras: Any) -> None:
    layers = keras.layers
    kinds = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax)
    if type(function) not in kinds:
        inside = (
            ""
            if function is layer
            else f", with an activation of the class {_name_class(function)}"
        )
        raise ValueError(
            f"model must be made of {_KNOWN}. Got the layer {layer.name!r}, of the class "
            f"{_name_class(layer)}{inside}. Do before the estimator what it does, in a Pipeline."
        )
    if type(function) is layers.Softmax and function.axis not in (-1, 1):
        raise ValueError(
            "model must have a Softmax over the outputs of a row. Got the layer "
            f"{layer.name!r} with axis={function.axis!r}."
        )


def _name_class(layer: Any) -> str:
    return type(layer).__name__


def _read_dense(layer: Any) -> tuple[Stage, StageWeights]:
    kernel = _as_array(layer.kernel)
    bias = _as_array(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], kernel.dtype)
    return Dense(*kernel.shape), _require_finite({"kernel": kernel, "bias": bias}, layer)


def _read_normalization(layer: Any) -> tuple[Stage, StageWeights]:
    if layer.axis not in (-1, 1):
        raise ValueError(
            f"model must normalise columns. Got the layer {layer.name!r} with axis={layer.axis!r}."
        )
    mean, variance = _as_array(layer.moving_mean), _as_array(layer.moving_variance)
    weights = {
        "gamma": _as_array(layer.gamma) if layer.scale else np.ones_like(mean),
        "beta": _as_array(layer.beta) if layer.center else np.zeros_like(mean),
        "moving_mean": mean,
        "moving_variance": variance,
    }
    _require_finite(weights, layer)
    own, used = variance + layer.epsilon, variance + EPSILON
    if min(own.min(), used.min()) <= 0:
        raise ValueError(
            f"model must have variances above 0. Got {variance.min()}, and epsilon="
            f"{layer.epsilon}, in the layer {layer.name!r}."
        )
    # With the epsilon that is used here it divides by another number.
    weights["gamma"] = weights["gamma"] * np.sqrt(used / own)
    return Normalization(len(mean)), weights


def _as_array(variable: Any) -> Any:
    array = np.asarray(variable)
    return array if array.dtype == np.float64 else array.astype(np.float32)
