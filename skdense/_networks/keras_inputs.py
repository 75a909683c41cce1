"""The layers of a Keras model that stand for what comes before the first dense layer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .._backend.loading import load_keras
from .stages import Categories, LearnedScale, Periodic, PiecewiseLinear, RobustScaling, Stage
from .stages.stage import StageWeights

Read = tuple[Stage, StageWeights]

# By their kinds.
_CLIP = ("Reshape", "Dense", "UnitNormalization", "Dense", "Reshape")
_SCALING = ("EinsumDense", "EinsumDense", "Rescaling", "Activation", *_CLIP)
_LEARNED_SCALE = ("EinsumDense", "Rescaling")
# Ends the name of a layer for a column of codes.
_OF_CODES = re.compile(r"_(indicators|vectors)_(\d+)$")


def read_input_stages(layers: list[Any]) -> list[Read]:
    """Read the stages that a model begins with as `to_keras` makes them, and remove their layers.

    Layers that compute something else, if ever so little, are left.
    """
    found = []
    for kinds, propose in (
        (_SCALING, _propose_scaling),
        (("Functional",), _propose_scaling_of_some),
        (("Functional",), _propose_embedding),
        (("Functional",), _propose_categories),
        (_LEARNED_SCALE, _propose_learned_scale),
    ):
        own = layers[: len(kinds)]
        if tuple(type(layer).__name__ for layer in own) != kinds or not _are_of_keras(own):
            continue
        stage = propose(own)
        read = None if stage is None else _read(stage, own)
        if read is not None:
            found.append(read)
            del layers[: len(kinds)]
    return found


def _are_of_keras(layers: list[Any]) -> bool:
    keras = load_keras()
    return all(
        isinstance(layer, keras.Model)
        or type(layer) is getattr(keras.layers, type(layer).__name__, None)
        for layer in layers
    )


def _propose_scaling(layers: list[Any]) -> Stage | None:
    return RobustScaling(layers[0].input.shape[1], is_exact=_is_exact(layers))


def _propose_scaling_of_some(layers: list[Any]) -> Stage | None:
    [model] = layers
    layer_type = load_keras().layers.UnitNormalization
    scaled = [layer.input.shape[1] for layer in model.layers if type(layer) is layer_type]
    n_columns = model.input_shape[1]
    if len(scaled) != 1:
        return None
    return RobustScaling(n_columns, n_columns - scaled[0], _is_exact(model.layers))


def _is_exact(layers: list[Any]) -> bool:
    """Say whether nothing rounds what is scaled to float32."""
    return all(layer.compute_dtype == "float64" for layer in layers)


def _propose_categories(layers: list[Any]) -> Stage | None:
    """Read the sizes off the layers that are named after columns of codes."""
    [model] = layers
    found = [(_OF_CODES.search(layer.name), layer) for layer in model.layers]
    kernels = {(m[1], int(m[2])): layer.kernel.shape for m, layer in found if m}
    sizes = {number: shape[0] for (_, number), shape in kernels.items()}
    if sorted(sizes) != list(range(len(kernels))) or not sizes:
        return None
    vectors = [shape for (kind, _), shape in kernels.items() if kind == "vectors"]
    n_units = vectors[0][1] if vectors else 1
    # Where a network of ours drew the line between the two, of which there may be one kind only.
    indicated = [shape[0] for (kind, _), shape in kernels.items() if kind == "indicators"]
    most = max(indicated) if indicated else max(min(size for size, _ in vectors) - 1, 1)
    in_order = tuple(sizes[number] for number in range(len(sizes)))
    stage = Categories(model.input_shape[1], in_order, n_units, most)
    return stage if stage.is_sound else None


def _propose_learned_scale(layers: list[Any]) -> Stage | None:
    return LearnedScale(layers[0].input.shape[1])


def _propose_embedding(layers: list[Any]) -> Stage | None:
    [model] = layers
    layer_type = load_keras().layers.EinsumDense
    kernels = [layer.kernel for layer in model.layers if type(layer) is layer_type]
    if len(kernels) not in (2, 3) or len(kernels[-1].shape) != 3:
        return None
    n_columns, (n_embedded, n_features, n_sums) = model.input_shape[1], kernels[-1].shape
    columns = _find_embedded(model, n_columns, n_columns - n_embedded)
    if columns is None:
        return None
    if len(kernels) == 2:
        return Periodic(n_columns, columns, n_sums + 1)
    return PiecewiseLinear(n_columns, columns, n_sums, n_features - 1)


def _find_embedded(model: Any, n_columns: int, n_others: int) -> tuple[int, ...] | None:
    """Return the columns that do not come out, at the end, as they are."""
    numbers = np.arange(n_columns, dtype=model.inputs[0].dtype)
    outputs = np.asarray(model(numbers[np.newaxis]))[0]
    others = outputs[len(outputs) - n_others :]
    kept = set(others.tolist())
    if len(kept) != n_others or not kept <= set(numbers.tolist()):
        return None
    return tuple(column for column in range(n_columns) if column not in kept)


def _read(stage: Stage, layers: list[Any]) -> Read | None:
    """Return a stage with the weights of layers; None if these compute something else."""
    arrays = [np.asarray(variable) for layer in layers for variable in layer.weights]
    if len(arrays) != stage.n_keras_variables:
        return None
    weights = stage.from_keras(arrays)
    shapes = {name: array.shape for name, array in weights.items()}
    expected = {name: spec.shape for name, spec in stage.weight_specs.items()}
    if shapes != expected or not stage.are_sound(weights):
        return None
    width, dtype = layers[0].input.shape[1], layers[0].input.dtype
    rows = np.random.default_rng(0).standard_normal((8, width)).astype(dtype)
    theirs: Any = rows
    for layer in layers:
        theirs = layer(theirs)
    own = stage.forward(rows.copy(), weights)
    return (stage, weights) if np.allclose(theirs, own, rtol=1e-4, atol=1e-5) else None
