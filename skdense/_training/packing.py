"""The weights of a network as a few tensors, for the loop over training steps.

A step updates every tensor by operations of its own, which take time to compile and to start
however little there is to compute. So small weights lie one after the other in a single vector.
Large ones stay as they are: taking them out of a vector would copy them in every step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .._backend.loading import load_tensorflow
from .._networks.network import Network
from .._networks.stages.stage import StageTensors, Tensor
from .optimizers import Slots

# Numbers in the largest weight that joins the vector, for each member. 12-12 units: 13 instead of
# 15 us a step and 0.1 s less to compile; copying kernels of 2,560 numbers took longer again.
_LARGEST_PACKED = 1024


@dataclass(frozen=True)
class Packing:
    """Which weights lie together.

    Attributes
    ----------
    names : tuple of tuple of str
        Of the weights of each stage.
    shapes : tuple of tuple of int
        Of each trainable weight, with a leading member axis.
    groups : tuple of tuple of int
        The trainable weights, by number, in each tensor.
    decayed : tuple of bool
        Whether `weight_decay` acts on those in each tensor.
    """

    names: tuple[tuple[str, ...], ...]
    shapes: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    decayed: tuple[bool, ...]

    @classmethod
    def of(cls, network: Network, weights: Sequence[StageTensors]) -> Packing:
        shapes = tuple(tuple(w.shape) for w in network.trained(weights))
        # By size and not by kind of layer, since it is copying that costs.
        small = [n for n, shape in enumerate(shapes) if math.prod(shape[1:]) <= _LARGEST_PACKED]
        alike = [[n for n in small if network.decayed[n] == decays] for decays in (True, False)]
        together = [tuple(numbers) for numbers in alike if len(numbers) > 1]
        joined = set(chain(*together))
        groups = *((n,) for n in range(len(shapes)) if n not in joined), *together
        decayed = tuple(network.decayed[numbers[0]] for numbers in groups)
        return cls(tuple(map(tuple, weights)), shapes, groups, decayed)

    def pack(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Put tensors, one for each trainable weight, together.

        Where they are not as large as the weights but one number for each member, as Nadam has
        it, all are equal, and one stands for its group.
        """
        packed = []
        for numbers in self.groups:
            first = tensors[numbers[0]]
            if len(numbers) > 1:
                of_weights = all(tuple(tensors[n].shape) == self.shapes[n] for n in numbers)
                parts = [tensors[n] for n in numbers] if of_weights else [first]
                first = flat(parts)
            packed.append(first)
        return packed

    def unpack(self, packed: Sequence[Tensor]) -> list[Tensor]:
        """Undo `pack`."""
        tf = load_tensorflow()
        tensors: dict[int, Tensor] = {}
        for tensor, numbers in zip(packed, self.groups, strict=True):
            shapes = [self.shapes[n] for n in numbers]
            if len(numbers) == 1:
                parts = [tensor]
            elif sum(math.prod(shape[1:]) for shape in shapes) == tensor.shape[1]:
                parts = _cut(tensor, shapes)
            else:
                parts = [tf.reshape(tensor, [-1] + [1] * (len(s) - 1)) for s in shapes]
            tensors.update(zip(numbers, parts, strict=True))
        return [tensors[n] for n in range(len(self.shapes))]

    def unpack_weights(
        self, packed: Sequence[Tensor], others: Sequence[StageTensors]
    ) -> list[StageTensors]:
        """Undo `pack` for the weights, and put the others of each stage beside them."""
        new = iter(self.unpack(packed))
        return [
            {name: own[name] if name in own else next(new) for name in names}
            for names, own in zip(self.names, others, strict=True)
        ]

    def pack_slots(self, slots: Sequence[Slots]) -> list[Slots]:
        """Put the optimizer's slots of each weight together, like the weights."""
        by_name = [self.pack(own) for own in zip(*slots, strict=True)]
        return list(zip(*by_name, strict=True)) or [()] * len(self.groups)

    def unpack_slots(self, packed: Sequence[Slots]) -> list[Slots]:
        """Undo `pack_slots`."""
        by_name = [self.unpack(own) for own in zip(*packed, strict=True)]
        return list(zip(*by_name, strict=True)) or [()] * len(self.shapes)


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors, one after the other, as one vector for each member."""
    tf = load_tensorflow()
    return tf.concat([tf.reshape(t, [t.shape[0], -1]) for t in tensors], axis=1)


def _cut(vector: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    tf = load_tensorflow()
    parts = tf.split(vector, [math.prod(shape[1:]) for shape in shapes], axis=1)
    return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]


def unflatten(vector: Any, like: list[StageTensors]) -> list[StageTensors]:
    """Return one member's weights from a NumPy vector of all; `like` has the shapes."""
    tf = load_tensorflow()
    shapes = [tuple(w.shape[1:]) for w in tf.nest.flatten(like)]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(vector, ends[:-1])
    arrays = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    unflattened: list[StageTensors] = tf.nest.pack_sequence_as(like, arrays)
    return unflattened
