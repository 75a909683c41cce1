"""The weights that an epoch left, as one vector for each member."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._networks.stages.stage import Tensor
from .packing import flat, unflatten
from .program_spec import State


def take_snapshot(state: State) -> Tensor:
    """Return the weights of a state, of shape (members, weights)."""
    return flat(_weights(state))


def read_snapshot(vectors: NDArray[Any], like: State) -> State:
    """Return a state with the weights of a snapshot, of all members or some."""
    shapes = [tuple(weight.shape[1:]) for weight in _weights(like)]
    weights = iter(unflatten(vectors, shapes))
    return like._replace(
        packed=[next(weights) for _ in like.packed],
        moving=[{name: next(weights) for name in own} for own in like.moving],
    )


def _weights(state: State) -> list[Tensor]:
    return [*state.packed, *(weight for own in state.moving for weight in own.values())]
