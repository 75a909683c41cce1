"""Which quantiles a regressor learns, and the loss that they are learned by."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._training.losses import PinballLoss
from .constraints import as_float
from .output_layer import ROWWISE_ACTIVATIONS

_ADVICE = "Set quantiles=(0.05, 0.5, 0.95), for example."


def resolve_quantiles(quantiles: Any) -> tuple[float, ...]:
    """Return the levels of one quantile or several.

    Raises
    ------
    ValueError
        If they are not between 0 and 1, increasing.
    """
    levels = tuple(map(as_float, np.ravel(quantiles).tolist()))
    are_inside = bool(levels) and all(0 < level < 1 for level in levels)
    if not are_inside or any(np.diff(levels) <= 0):
        raise ValueError(
            "quantiles must be numbers between 0 and 1, not these themselves, in increasing order. "
            f"Got {quantiles!r}. {_ADVICE}"
        )
    return levels


def choose_loss(loss: Any, quantiles: Any, output_activation: Any) -> Any:
    """Return the pinball loss where it is asked for, by its name or by quantiles; else the loss.

    Raises
    ------
    ValueError
        For one of both with something else than the other.
    """
    is_pinball = isinstance(loss, str) and loss == "pinball"
    if quantiles is None:
        if is_pinball:
            raise ValueError(
                "loss='pinball' learns the quantiles that a regressor is asked for. Got none. "
                f"{_ADVICE}"
            )
        return loss
    levels = resolve_quantiles(quantiles)
    if not (is_pinball or (isinstance(loss, str) and loss == "auto")):
        raise ValueError(
            f"quantiles are learned by loss='pinball', which 'auto' stands for. Got loss={loss!r} "
            f"and quantiles={quantiles!r}. Leave one of them out."
        )
    if output_activation in ROWWISE_ACTIVATIONS:
        raise ValueError(
            "quantiles need an output_activation of each output by itself. Got "
            f"{output_activation!r}, which is of all together. Leave it at 'auto'."
        )
    return PinballLoss(levels)
