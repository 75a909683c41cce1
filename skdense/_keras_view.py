"""A network and its weights as a ``keras.Sequential``, and the weights back."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from . import _tensorflow
from ._keras_objects import Activation as ActivationFunction
from ._keras_objects import KerasObject, activation_function, keras_loss
from ._network import (
    NORMALIZATION_EPSILON,
    NORMALIZATION_MOMENTUM,
    Activation,
    Dense,
    Dropout,
    Network,
    Normalization,
    Stage,
    Weights,
)
from ._standardizing import exceeds_float32


class _Settings(NamedTuple):
    dtype: str
    kernel_regularizer: Any
    seed: int


def build_model(
    network: Network,
    weights: Weights,
    *,
    dtype: str,
    kernel_regularizer: Any = None,
    seed: int = 0,
) -> Any:
    """Build a ``keras.Sequential`` with the given weights, not compiled.

    Parameters
    ----------
    network, weights
        What to build.
    dtype : {"float32", "float64"}
        Of the layers; the weights are cast to it.
    kernel_regularizer : keras.regularizers.Regularizer or None
        Of every dense layer.
    seed : int
        For dropout, and for anybody who initialises the model's layers anew. Layers
        constructed without a seed draw one from Python's global random state.
    """
    _, keras = _tensorflow.load()
    settings = _Settings(dtype, kernel_regularizer, seed)
    model = keras.Sequential(name="skdense")
    model.add(keras.Input((network.n_inputs,), dtype=dtype, name="features"))
    for number, (stage, activation) in enumerate(_layer_list(network), start=1):
        kind = type(stage).__name__.lower()
        model.add(_layer(stage, activation, settings, f"{kind}_{number}"))
    set_weights(model, weights)
    return model


def build_compiled_model(
    network: Network,
    weights: Weights,
    *,
    optimizer: KerasObject,
    loss: Any,
    dtype: str,
    l1: float,
    l2: float,
) -> Any:
    """Build a model with penalties on its kernels, compiled for training or evaluation."""
    _tensorflow.require_eager()
    penalty = kernel_penalty(l1, l2)
    model = build_model(network, weights, dtype=dtype, kernel_regularizer=penalty)
    model.compile(optimizer=optimizer.build(), loss=keras_loss(loss))
    # Else Keras warns, when it loads a file of this model, that variables are missing.
    model.optimizer.build(model.trainable_variables)
    return model


def kernel_penalty(l1: float, l2: float) -> Any:
    """Return the regularizer of every kernel; None for none."""
    _, keras = _tensorflow.load()
    return keras.regularizers.L1L2(l1, l2) if l1 > 0 or l2 > 0 else None


def view_in_own_units(model: Any, output_scale: tuple[Any, Any] | None) -> Any:
    """Return a model of the same layers whose outputs are times scale plus mean, if given.

    They are in float64 where float32 cannot hold them.
    """
    _, keras = _tensorflow.load()
    layers = [keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name="features")]
    layers += model.layers
    if output_scale is not None:
        mean, scale = output_scale
        dtype = "float64" if exceeds_float32(mean, scale) else model.inputs[0].dtype
        layers.append(keras.layers.Rescaling(scale, offset=mean, dtype=dtype, name="own_units"))
    return keras.Sequential(layers, name=model.name)


def set_weights(model: Any, weights: Weights) -> None:
    """Put a network's weights into the model built for it."""
    layers = (layer for layer in model.layers if layer.weights)
    for layer, own in zip(layers, filter(None, weights), strict=True):
        layer.set_weights(list(own.values()))


def get_weights(model: Any, weights: Weights) -> Weights:
    """Return the model's weights, arranged like `weights`."""
    layers = (layer for layer in model.layers if layer.weights)
    return tuple(
        dict(zip(own, map(np.asarray, next(layers).get_weights()), strict=True)) if own else {}
        for own in weights
    )


def _layer_list(network: Network) -> list[tuple[Stage, ActivationFunction]]:
    """Pair stages with activations as Keras users write them: inside the dense layer."""
    layers: list[tuple[Stage, ActivationFunction]] = []
    for stage in (*network.stages, network.output):
        if isinstance(stage, Activation) and layers and isinstance(layers[-1][0], Dense):
            layers[-1] = layers[-1][0], stage.function
        else:
            layers.append((stage, "linear"))
    return layers


@singledispatch
def _layer(stage: Stage, activation: ActivationFunction, settings: _Settings, name: str) -> Any:
    raise TypeError(f"no Keras layer for {stage!r}")


@_layer.register
def _(stage: Dense, activation: ActivationFunction, settings: _Settings, name: str) -> Any:
    _, keras = _tensorflow.load()
    return keras.layers.Dense(
        stage.n_units,
        activation=_keras_activation(activation, settings.dtype),
        kernel_initializer=keras.initializers.GlorotUniform(seed=settings.seed),
        kernel_regularizer=settings.kernel_regularizer,
        dtype=settings.dtype,
        name=name,
    )


@_layer.register
def _(stage: Normalization, activation: ActivationFunction, settings: _Settings, name: str) -> Any:
    _, keras = _tensorflow.load()
    return keras.layers.BatchNormalization(
        momentum=NORMALIZATION_MOMENTUM,
        epsilon=NORMALIZATION_EPSILON,
        dtype=settings.dtype,
        name=name,
    )


@_layer.register
def _(stage: Activation, activation: ActivationFunction, settings: _Settings, name: str) -> Any:
    _, keras = _tensorflow.load()
    function = _keras_activation(stage.function, settings.dtype)
    return keras.layers.Activation(function, dtype=settings.dtype, name=name)


@_layer.register
def _(stage: Dropout, activation: ActivationFunction, settings: _Settings, name: str) -> Any:
    _, keras = _tensorflow.load()
    seed = settings.seed + int(name.rpartition("_")[2])
    return keras.layers.Dropout(stage.rate, seed=seed, dtype=settings.dtype, name=name)


def _keras_activation(activation: ActivationFunction, dtype: str) -> Any:
    """Return the activation as Keras' layers take it; a layer gets the network's dtype."""
    if isinstance(activation, KerasObject) and "dtype" in activation.arguments:
        return activation.with_arguments(dtype=dtype).build()
    return activation if isinstance(activation, str) else activation_function(activation)
