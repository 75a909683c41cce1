"""Going on with a network: what has to be as it was, and where it goes on."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

from .._backend.descriptions import build, describe
from .._backend.keras_objects import loss_name
from .._networks.network import rearrange
from .._training.task import TrainingResult, TrainingState
from .fitted import Fitted, History
from .output_layer import Head
from .problem import Problem, resolve_output
from .targets.choice import settle_head


def settle_head_again(fitted: Fitted) -> Head:
    """Return the output's activation and the loss that a fit had."""
    return settle_head(fitted.labels, *resolve_output(build(fitted.parameters)))


def state_to_keep(result: TrainingResult, *, is_watched_on: bool) -> TrainingState | None:
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


def resume(before: Fitted, problem: Problem) -> TrainingState:
    """Return where the training of a problem goes on from.

    Without a state that was kept, from the weights, with an optimizer that begins anew.

    Raises
    ------
    ValueError
        If the parameters make another network than the fitted one.
    """
    changed = _changed(before, problem)
    if changed:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network and its loss, which these "
            f"parameters now contradict: {', '.join(changed)}. Put them back, or fit with "
            "warm_start=False."
        )
    state = before.state or TrainingState(before.weights, before.n_epochs)
    state = replace(state, weights=rearrange(state.weights, problem.network))
    if problem.watched != before.watched:
        return replace(state, stopping=None, best_weights=None)
    if state.best_weights is not None:
        state = replace(state, best_weights=rearrange(state.best_weights, problem.network))
    return state


def _changed(before: Fitted, problem: Problem) -> list[str]:
    """Name the parameters that make another network or another problem of it."""
    old, new = before.parameters, problem.parameters
    names = []
    if problem.network.without_dropout != before.network.without_dropout:
        names += ["units", "depth", "activation", "batch_normalization", "output_activation"]
    if not _is_same_loss(problem.head.loss, settle_head_again(before).loss):
        names.append("loss")
    if old.get("standardize_target") != new.get("standardize_target"):
        names.append("standardize_target")
    differing = [n for n in names if repr(old.get(n)) != repr(describe(new.get(n)))]
    return differing or names


def _is_same_loss(loss: Any, other: Any) -> bool:
    if isinstance(loss, str) and isinstance(other, str):
        return loss_name(loss) == loss_name(other)
    return bool(loss == other)


def join_histories(before: History, after: History) -> History:
    """Append one history to another; NaN where an epoch lacks a name."""
    n_before, n_after = (len(history.get("loss", ())) for history in (before, after))
    return {
        name: [*before.get(name, [nan] * n_before), *after.get(name, [nan] * n_after)]
        for name in before | after
    }
