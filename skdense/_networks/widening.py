"""Networks of usual widths, which stand for narrower ones in a compiled program.

A program is compiled for each width. So those of hidden layers and of the input are raised to one
of a few sizes, by weights that are 0 and stay 0: a unit without weights gives 0 where its
activation keeps 0, so that no gradient reaches the weights into it, nor those out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .network import Network
from .numpy_activations import NUMPY_ACTIVATIONS
from .stages import Activation, Dense, Dropout, Stage

Array = NDArray[Any]

# Measured from 4 to 192 units, 1,000 rows of 20 columns and 250 of 10: a fit takes at most 10 %
# longer, and often less long, since processors add up 16 numbers at a time.
_UNITS = 4, 8, 16, 32, *range(40, 129, 8), *range(144, 257, 16)
_INPUTS = 8, 16, 24, 32
_STEP_BEYOND = 16


def usual_units(width: int) -> int:
    """Return the next of a few widths of a hidden layer."""
    return _next(width, _UNITS)


def usual_inputs(width: int) -> int:
    """Return the next of a few widths of the input."""
    return _next(width, _INPUTS)


def _next(width: int, sizes: tuple[int, ...]) -> int:
    beyond = -(-width // _STEP_BEYOND) * _STEP_BEYOND
    return next((size for size in sizes if size >= width), beyond)


@lru_cache(maxsize=1024)
def widen(network: Network, *, widens_input: bool) -> Network:
    """Return a network of usual widths that can stand for one; what cannot be widened stays."""
    width = network.n_inputs
    if widens_input and isinstance(network.stages[0], Dense) and len(network.dense) > 1:
        width = usual_inputs(width)
    n_inputs, stages = width, []
    for number, stage in enumerate(network.stages):
        if isinstance(stage, Dense):
            keeps = _keep_zeros(network.stages[number + 1 :])
            stage = Dense(width, usual_units(stage.n_units) if keeps else stage.n_units)
        stages.append(stage)
        width = stage.width_out(width)
    return replace(network, n_inputs=n_inputs, stages=tuple(stages))


def _keep_zeros(after: Sequence[Stage]) -> bool:
    """Say whether all stages up to the next dense one, which there is, keep columns of zeros."""
    between = list(takewhile(lambda stage: not isinstance(stage, Dense), after))
    return len(between) < len(after) and all(map(_keeps_zeros, between))


def _keeps_zeros(stage: Stage) -> bool:
    if isinstance(stage, Activation):
        function = stage.function
        known = NUMPY_ACTIVATIONS.get(function) if isinstance(function, str) else None
        return known is not None and not known(np.zeros((1, 2), np.float32)).any()
    return isinstance(stage, Dropout)


def trained_shapes(network: Network) -> list[tuple[int, ...]]:
    """Return the shapes of the weights that follow the gradient."""
    return [spec.shape for spec in network.trained(network.weight_specs)]


def pad_weights(weights: Sequence[dict[str, Array]], wide: Network) -> list[dict[str, Array]]:
    """Return one network's weights as those of a wider one."""
    return [
        {name: pad(array, specs[name].shape) for name, array in own.items()}
        for own, specs in zip(weights, wide.weight_specs, strict=True)
    ]


def crop_weights(weights: Sequence[dict[str, Array]], network: Network) -> list[dict[str, Array]]:
    """Undo `pad_weights`: return copies, which do not keep the wide ones in memory."""
    return [
        {name: crop(array, specs[name].shape) for name, array in own.items()}
        for own, specs in zip(weights, network.weight_specs, strict=True)
    ]


def pad(array: Array, shape: tuple[int, ...]) -> Array:
    """Put zeros after the last numbers of each axis."""
    if array.shape == shape:
        return array
    wide = np.zeros(shape, array.dtype)
    wide[tuple(map(slice, array.shape))] = array
    return wide


def crop(array: Array, shape: tuple[int, ...]) -> Array:
    """Undo `pad`."""
    return array[tuple(map(slice, shape))].copy()
