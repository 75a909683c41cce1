"""A network and its weights as a ``keras.Sequential``, and the weights back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np

from .._backend.global_state import require_exact_precision
from .._backend.keras_objects import KerasObject, as_keras_loss
from .._backend.loading import load_keras, require_eager
from .network import Network, Weights, cast_weights
from .stages import Activation, Stage
from .stages.stage import LayerSettings
from .standardization import exceeds_float32


def build_models(
    network: Network, members: Sequence[Weights], *, dtype: str, kernel_regularizer: Any = None
) -> Any:
    """Build a ``keras.Sequential``; of several networks a model of their mean output, not compiled.

    See `build_model`.
    """
    if len(members) == 1:
        return build_model(network, members[0], dtype=dtype, kernel_regularizer=kernel_regularizer)
    keras = load_keras()
    inputs = _input_of(network, dtype)
    models = [
        build_model(
            network, own, dtype=dtype, kernel_regularizer=kernel_regularizer, name=f"member_{n}"
        )
        for n, own in enumerate(members)
    ]
    mean = keras.layers.Average(dtype=dtype, name="mean")([model(inputs) for model in models])
    return keras.Model(inputs, mean, name="skdense")


def build_model(
    network: Network,
    weights: Weights,
    *,
    dtype: str,
    kernel_regularizer: Any = None,
    seed: int = 0,
    name: str = "skdense",
) -> Any:
    """Build a ``keras.Sequential`` with the given weights, not compiled.

    Parameters
    ----------
    network, weights
        What to build.
    dtype : {"float32", "float64"}
        Of the layers; the weights are cast to it. Raw columns that the network scales come in
        float64.
    kernel_regularizer : keras.regularizers.Regularizer or None
        Of every dense layer.
    seed : int
        For dropout, and for anybody who initialises the model's layers anew. Layers
        constructed without a seed draw one from Python's global random state.
    """
    keras = load_keras()
    model = keras.Sequential(name=name)
    model.add(_input_of(network, dtype))
    for number, (stage, activation) in enumerate(_paired_with_activations(network), start=1):
        layer_name = f"{type(stage).__name__.lower()}_{number}"
        function = activation.keras_function(dtype) if activation else "linear"
        own_seed = seed + number if stage.is_random else seed
        settings = LayerSettings(dtype, kernel_regularizer, own_seed, layer_name, function)
        for layer in stage.keras_layers(settings):
            model.add(layer)
    set_weights(model, network, weights)
    return model


def _input_of(network: Network, dtype: str) -> Any:
    dtype = "float64" if network.scales_columns else dtype
    return load_keras().Input((network.n_inputs,), dtype=dtype, name="features")


def build_compiled_model(
    network: Network,
    members: Sequence[Weights],
    *,
    optimizer: KerasObject,
    loss: Any,
    dtype: str,
    l1: float,
    l2: float,
) -> Any:
    """Build a model with penalties on its kernels, compiled for training or evaluation."""
    require_eager()
    require_exact_precision()
    penalty = kernel_penalty(l1, l2)
    model = build_models(network, members, dtype=dtype, kernel_regularizer=penalty)
    model.compile(optimizer=optimizer.build(), loss=as_keras_loss(loss))
    # Else Keras warns, when it loads a file of this model, that variables are missing.
    build_optimizer(model, network)
    return model


def kernel_penalty(l1: float, l2: float) -> Any:
    """Return the regularizer of every kernel; None for none."""
    keras = load_keras()
    return keras.regularizers.L1L2(l1, l2) if l1 > 0 or l2 > 0 else None


def view_in_own_units(model: Any, output_scale: tuple[Any, Any] | None) -> Any:
    """Return a model of the same layers whose outputs are times scale plus mean, if given.

    They are in float64 where float32 cannot hold them.
    """
    keras = load_keras()
    layers = [keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name="features")]
    layers += model.layers
    if output_scale is not None:
        mean, scale = output_scale
        dtype = "float64" if exceeds_float32(mean, scale) else model.outputs[0].dtype
        layers.append(keras.layers.Rescaling(scale, offset=mean, dtype=dtype, name="own_units"))
    return keras.Sequential(layers, name=model.name)


def set_weights(model: Any, network: Network, weights: Weights) -> None:
    """Put a network's weights into the model built for it."""
    arrays = [
        array
        for stage, own in zip(network.stages, weights, strict=True)
        for array in stage.to_keras(own)
    ]
    variables = (variable for layer in model.layers for variable in layer.weights)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def build_optimizer(model: Any, network: Network) -> None:
    """Build the slots of the optimizer of a model that was built for one or several networks."""
    decayed = cycle(network.decayed)  # of one network after the other
    variables = model.trainable_variables
    kept = [variable for variable in variables if not next(decayed)]
    if kept:
        model.optimizer.exclude_from_weight_decay(var_list=kept)
    model.optimizer.build(variables)


def get_weights(model: Any, network: Network) -> Weights:
    """Return the weights of the model that was built for a network, in the dtype of the last one.

    Those that scale raw columns are variables of float64.
    """
    variables = iter([np.asarray(array) for layer in model.layers for array in layer.get_weights()])
    weights = tuple(
        stage.from_keras(list(islice(variables, stage.n_keras_variables)))
        for stage in network.stages
    )
    return cast_weights(weights, weights[-1]["kernel"].dtype)


def _paired_with_activations(network: Network) -> list[tuple[Stage, Activation | None]]:
    """Pair stages with activations as Keras users write them: inside the dense layer."""
    pairs: list[tuple[Stage, Activation | None]] = []
    for stage in (*network.stages, network.output):
        last, taken = pairs[-1] if pairs else (None, None)
        if isinstance(stage, Activation) and last and last.takes_activation and taken is None:
            pairs[-1] = last, stage
        else:
            pairs.append((stage, None))
    return pairs
