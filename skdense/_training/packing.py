"""The weights of a network as a few arrays, for the loop over training steps.

A step updates every array by operations of its own, which take time to compile and to start
however little there is to compute. So small weights lie one after the other in a single vector.
Large ones stay as they are: taking them out of a vector would copy them in every step.

All of this works on arrays of NumPy as on tensors: a state is packed before it comes into a
program, and unpacked where somebody looks at it. Programs that did this themselves took a fifth
longer to compile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from .._backend.loading import load_tensorflow
from .._networks.network import Network
from .._networks.stages.stage import StageTensors, Tensor
from .._networks.widening import trained_shapes
from .optimizers import Slots

# Numbers in the largest weight that joins the vector, for each member. 12-12 units: 13 instead of
# 15 us a step and 0.1 s less to compile; copying kernels of 2,560 numbers took longer again.
_LARGEST_PACKED = 1024


@dataclass(frozen=True)
class Packing:
    """Which weights lie together; every array has a leading member axis.

    Attributes
    ----------
    names : tuple of tuple of str
        Of the weights of each stage.
    shapes : tuple of tuple of int
        Of each trainable weight of one member.
    groups : tuple of tuple of int
        The trainable weights, by number, in each array.
    decayed : tuple of bool
        Whether `weight_decay` acts on those in each array.
    has_penalty : tuple of bool
        Whether `l1` and `l2` are on each trainable weight.
    """

    names: tuple[tuple[str, ...], ...]
    shapes: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    decayed: tuple[bool, ...]
    has_penalty: tuple[bool, ...]

    @classmethod
    def of(cls, network: Network) -> Packing:
        shapes = tuple(trained_shapes(network))
        # By size and not by kind of layer, since it is copying that costs.
        small = [n for n, shape in enumerate(shapes) if math.prod(shape) <= _LARGEST_PACKED]
        alike = [[n for n in small if network.decayed[n] == decays] for decays in (True, False)]
        together = [tuple(numbers) for numbers in alike if len(numbers) > 1]
        joined = set(chain(*together))
        groups = *((n,) for n in range(len(shapes)) if n not in joined), *together
        decayed = tuple(network.decayed[numbers[0]] for numbers in groups)
        has_penalty = tuple(spec.is_penalised for spec in network.trained(network.weight_specs))
        names = tuple(map(tuple, network.weight_specs))
        return cls(names, shapes, groups, decayed, has_penalty)

    def pack(self, arrays: Sequence[Tensor]) -> list[Tensor]:
        """Put arrays, one for each trainable weight and of its shape, together."""
        return [_join([arrays[n] for n in numbers]) for numbers in self.groups]

    def unpack(self, packed: Sequence[Tensor]) -> list[Tensor]:
        """Undo `pack`.

        Of a slot that is one number for each member, as Nadam has it, every weight gets that.
        """
        arrays: dict[int, Tensor] = {}
        for array, numbers in zip(packed, self.groups, strict=True):
            shapes = [self.shapes[n] for n in numbers]
            if len(numbers) == 1:
                parts = [array]
            elif _is_one_each(array):
                parts = [_reshape(array, (1,) * len(shape)) for shape in shapes]
            else:
                parts = unflatten(array, shapes)
            arrays.update(zip(numbers, parts, strict=True))
        return [arrays[n] for n in range(len(self.shapes))]

    def unpack_weights(
        self,
        packed: Sequence[Tensor],
        moving: Sequence[StageTensors],
        fitted: Sequence[StageTensors],
    ) -> list[StageTensors]:
        """Undo `pack` for the weights, and put the others of each stage beside them."""
        new = iter(self.unpack(packed))
        others = [one | other for one, other in zip(moving, fitted, strict=True)]
        return [
            {name: own[name] if name in own else next(new) for name in names}
            for names, own in zip(self.names, others, strict=True)
        ]

    def penalised(self, packed: Sequence[Tensor]) -> list[Tensor]:
        """Return the weights that penalties are on, packed, with zeros in place of those between.

        Penalties on all of them together compile as fast as on one.
        """
        found = []
        for array, numbers in zip(packed, self.groups, strict=True):
            has_penalty = [self.has_penalty[n] for n in numbers]
            sizes = [math.prod(self.shapes[n]) for n in numbers]
            if all(has_penalty):
                found.append(array)
            elif any(has_penalty):
                found.append(array * np.repeat(has_penalty, sizes).astype(array.dtype.name))
        return found

    def pack_slots(self, slots: Sequence[Slots], like: Sequence[Slots]) -> list[Slots]:
        """Undo `unpack_slots`; `like` are packed ones of the same rule."""
        packed = []
        for numbers, own in zip(self.groups, like, strict=True):
            counts = [1 if _is_one_each(slot) else len(numbers) for slot in own]
            parts = [[slots[n][i] for n in numbers[:count]] for i, count in enumerate(counts)]
            joined = zip(map(_join, parts), own, strict=True)
            packed.append(tuple(array.reshape(slot.shape) for array, slot in joined))
        return packed

    def unpack_slots(self, packed: Sequence[Slots]) -> list[Slots]:
        """Undo `pack_slots`."""
        by_name = [self.unpack(own) for own in zip(*packed, strict=True)]
        return list(zip(*by_name, strict=True)) or [()] * len(self.shapes)


def flat(arrays: Sequence[Tensor]) -> Tensor:
    """Return arrays, one after the other, as one vector for each member."""
    vectors = [_reshape(array, (-1,)) for array in arrays]
    if isinstance(vectors[0], np.ndarray):
        return np.concatenate(vectors, axis=1)
    return load_tensorflow().concat(vectors, axis=1)


def unflatten(vectors: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Undo `flat`; `shapes` are those of one member."""
    sizes = [math.prod(shape) for shape in shapes]
    if isinstance(vectors, np.ndarray):
        parts = np.split(vectors, np.cumsum(sizes)[:-1], axis=1)
    else:
        parts = load_tensorflow().split(vectors, sizes, axis=1)
    return [_reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


def _join(arrays: Sequence[Tensor]) -> Tensor:
    return arrays[0] if len(arrays) == 1 else flat(arrays)


def _is_one_each(array: Tensor) -> bool:
    """Say whether an array, of several weights, has but one number for each member."""
    return math.prod(array.shape[1:]) == 1


def _reshape(array: Tensor, shape: tuple[int, ...]) -> Tensor:
    reshape = np.reshape if isinstance(array, np.ndarray) else load_tensorflow().reshape
    return reshape(array, (array.shape[0], *shape))
