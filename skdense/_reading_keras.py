"""A trained ``keras.Sequential`` as a network and its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _tensorflow
from ._keras_objects import as_activation
from ._network import (
    NORMALIZATION_EPSILON,
    Activation,
    Dense,
    Dropout,
    Network,
    Normalization,
    Stage,
    StageWeights,
    Weights,
)

_KNOWN = "Dense, Dropout, Activation and BatchNormalization, and layers that are activations"


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
        If it is not built, or has a layer of another kind, which is named.
    """
    _, keras = _tensorflow.load()
    if not isinstance(model, keras.Sequential):
        raise TypeError(
            "model must be a keras.Sequential, such as keras.saving.load_model gives. Got "
            f"{model!r}."
        )
    if not model.built or len(model.input_shape) != 2:
        shape = model.input_shape if model.built else "none; call model.build((None, n_features))"
        raise ValueError(f"model must take rows of features, of shape (None, n). Got {shape}.")
    _tensorflow.require_eager()
    layers = list(model.layers)
    units = layers.pop() if layers and isinstance(layers[-1], keras.layers.Rescaling) else None
    pairs = [pair for layer in layers for pair in _stages(layer, keras)]
    dense = [number for number, (stage, _) in enumerate(pairs, 1) if isinstance(stage, Dense)]
    n_kept = max(dense, default=0)
    if not n_kept:
        raise ValueError("model must have a Dense layer. Got none.")
    stages, weights = zip(*pairs[:n_kept], strict=True)
    network = Network(stages, _output([stage for stage, _ in pairs[n_kept:]]))
    return network, weights if units is None else _rescaled(weights, network.output, units)


def _rescaled(weights: Weights, output: Activation, layer: Any) -> Weights:
    """Fold the layer by which checkpoints of a regressor have the target's own units."""
    if output != Activation("linear"):
        raise ValueError(f"model must be linear before the layer {layer.name!r}. Got {output}.")
    scale, offset = np.asarray(layer.scale), np.asarray(layer.offset)
    kernel, bias = weights[-1]["kernel"] * scale, weights[-1]["bias"] * scale + offset
    return (*weights[:-1], {"kernel": kernel, "bias": bias})


def _output(stages: list[Stage]) -> Activation:
    """Return the one activation after the last dense layer; dropout there is of no effect."""
    found = [stage for stage in stages if not isinstance(stage, Dropout)]
    if len(found) > 1 or not all(isinstance(stage, Activation) for stage in found):
        raise ValueError(
            "model must end in a Dense layer and at most one activation. Got after the last Dense "
            f"layer: {', '.join(type(stage).__name__ for stage in found)}."
        )
    return found[0] if found and isinstance(found[0], Activation) else Activation("linear")


def _stages(layer: Any, keras: Any) -> list[tuple[Stage, StageWeights]]:
    layers = keras.layers
    if type(layer) is layers.Dense:
        return [_dense(layer), *_activation(layer.activation)]
    if type(layer) is layers.BatchNormalization:
        return [_normalization(layer)]
    if type(layer) is layers.Dropout:
        return [(Dropout(float(layer.rate)), {})] if layer.rate > 0 else []
    if type(layer) is layers.Activation:
        return _activation(layer.activation)
    if isinstance(layer, layers.ReLU | layers.LeakyReLU | layers.ELU | layers.Softmax):
        return _activation(layer)
    raise ValueError(
        f"model must be made of {_KNOWN}. Got the layer {layer.name!r}, of the class "
        f"{type(layer).__name__}. Do before the estimator what it does, in a Pipeline."
    )


def _activation(function: Any) -> list[tuple[Stage, StageWeights]]:
    activation = as_activation(function)
    return [] if activation == "linear" else [(Activation(activation), {})]


def _dense(layer: Any) -> tuple[Stage, StageWeights]:
    kernel = _array(layer.kernel)
    bias = _array(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], kernel.dtype)
    return Dense(*kernel.shape), {"kernel": kernel, "bias": bias}


def _normalization(layer: Any) -> tuple[Stage, StageWeights]:
    mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
    weights = {
        "gamma": _array(layer.gamma) if layer.scale else np.ones_like(mean),
        "beta": _array(layer.beta) if layer.center else np.zeros_like(mean),
        "moving_mean": mean,
        # Only the sum of the two counts.
        "moving_variance": variance + (layer.epsilon - NORMALIZATION_EPSILON),
    }
    return Normalization(len(mean)), weights


def _array(variable: Any) -> Any:
    array = np.asarray(variable)
    return array if array.dtype == np.float64 else array.astype(np.float32)
