"""Going on with a network: what has to be as it was, and where it goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan
from typing import Any

import joblib

from .._backend.keras_objects import loss_name
from .._networks.network import Network, rearrange
from .._training.task import TrainingResult, TrainingState
from .output_layer import Head
from .rows import Rows

History = dict[str, list[float]]

# What is read after a fit, when the estimator's own may have changed. Not the callbacks, nor what
# else may not pickle.
KEPT_PARAMETERS = (
    "units",
    "depth",
    "activation",
    "batch_normalization",
    "l1",
    "l2",
    "output_activation",
    "loss",
    "optimizer",
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "standardize_target",
    "dtype",
)


@dataclass(frozen=True, eq=False)
class Memory:
    """What later trainings of the same network need besides it.

    Attributes
    ----------
    seed : int
    batch_size : int or None
        None before the first training, of a network that came from elsewhere.
    dtype : {"float32", "float64"}
    mean_weight : float
        Of the rows first trained on, which `partial_fit` goes on to divide by.
    watched : str
        Fingerprint of what was watched, "" for nothing.
    state : TrainingState or None
        Where the last training ended. None where early stopping put an earlier epoch's weights
        back, to which the optimizer's state does not belong.
    """

    seed: int
    batch_size: int | None
    dtype: str
    mean_weight: float
    watched: str
    state: TrainingState | None


def starting_state(estimator: Any) -> TrainingState | None:
    """Return where a fitted estimator's training goes on; None for an unfitted one.

    Without a state, from its weights, with an optimizer that begins anew.
    """
    if not hasattr(estimator, "_memory"):
        return None
    state: TrainingState | None = estimator._memory.state
    return state or TrainingState(estimator._weights, estimator.n_iter_)


def kept_state(result: TrainingResult, *, is_watched_on: bool) -> TrainingState | None:
    """Return what to keep of where a training ended.

    Parameters
    ----------
    result : TrainingResult
    is_watched_on : bool
        Whether further training goes on with the last epoch and what has been watched, as
        ``warm_start`` does, in place of the network that predicts.
    """
    if is_watched_on:
        return result.state
    if result.best_epoch != result.state.n_epochs and result.state.best_weights is not None:
        return None
    # The same arrays as those of the estimator, so that only the optimizer's come on top.
    return replace(result.state, weights=result.weights, stopping=None, best_weights=None)


def fingerprint(held_out: Rows | None, scoring: Any) -> str:
    """Return what tells apart what is watched: scores of other rows do not compare."""
    if held_out is None:
        return ""
    watched = [held_out.inputs, held_out.targets, held_out.weights, repr(scoring)]
    key: str = joblib.hash(watched)
    return key


def going_on(
    state: TrainingState, estimator: Any, head: Head, watched: str, network: Network
) -> TrainingState:
    """Return the state as the start of a training of this network.

    Parameters
    ----------
    state : TrainingState
    estimator
        Fitted, perhaps with other parameters than now.
    head : Head
    watched : str
        Fingerprint of what is watched from now on.
    network : Network

    Raises
    ------
    ValueError
        If the estimator's parameters make another network than the fitted one.
    """
    changed = _changed(estimator, network, head)
    if changed:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network and its loss, which these "
            f"parameters now contradict: {', '.join(changed)}. Put them back, or fit with "
            "warm_start=False."
        )
    state = replace(state, weights=rearrange(state.weights, network))
    if watched != estimator._memory.watched:
        return replace(state, stopping=None, best_weights=None)
    if state.best_weights is not None:
        state = replace(state, best_weights=rearrange(state.best_weights, network))
    return state


def _changed(estimator: Any, network: Network, head: Head) -> list[str]:
    """Name the parameters that make another network or another problem of it."""
    before = estimator._fit_parameters
    names = []
    if network.without_dropout != estimator._network.without_dropout:
        names += ["units", "depth", "activation", "batch_normalization", "output_activation"]
    if not _is_same_loss(head.loss, estimator._settle_head_of_fit().loss):
        names.append("loss")
    if before.get("standardize_target") != getattr(estimator, "standardize_target", None):
        names.append("standardize_target")
    differing = [n for n in names if repr(before.get(n)) != repr(getattr(estimator, n, None))]
    return differing or names


def _is_same_loss(loss: Any, other: Any) -> bool:
    if isinstance(loss, str) and isinstance(other, str):
        return loss_name(loss) == loss_name(other)
    return bool(loss == other)


def joined(before: History, after: History) -> History:
    """Append one history to another; NaN where an epoch lacks a name."""
    n_before, n_after = (len(history.get("loss", ())) for history in (before, after))
    return {
        name: [*before.get(name, [nan] * n_before), *after.get(name, [nan] * n_after)]
        for name in before | after
    }
