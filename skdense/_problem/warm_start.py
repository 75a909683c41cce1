"""Going on with a network: what has to be as it was, and where it goes on."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Any

from .._backend.descriptions import build, describe
from .._backend.keras_objects import loss_name
from .._networks.network import rearrange
from .._training.losses import PinballLoss
from .._training.task import TrainingResult, TrainingState
from .fitted import Fitted, History
from .output_layer import Head
from .problem import OF_INPUTS, Problem, resolve_output
from .targets.choice import settle_head


def settle_head_again(fitted: Fitted) -> Head:
    """Return the output's activation and the loss that a fit had."""
    quantiles = getattr(fitted.target, "quantiles", ()) or None
    parameters = build(fitted.parameters) | {"quantiles": quantiles}
    return settle_head(fitted.labels, *resolve_output(parameters))


def states_to_keep(
    results: list[TrainingResult], *, is_watched_on: bool
) -> tuple[TrainingState, ...]:
    """Return what to keep of where the training of each network ended.

    Parameters
    ----------
    results : list of TrainingResult
    is_watched_on : bool
        Whether further training goes on with the last epoch and what has been watched, as
        ``warm_start`` does, in place of the network that predicts.
    """
    states = tuple(result.state for result in results)
    if is_watched_on:
        return states
    first = results[0]
    if first.best_epoch != first.state.n_epochs and first.state.best_weights is not None:
        return ()
    # The same arrays as those of the estimator, so that only the optimizer's come on top.
    return tuple(
        replace(result.state, weights=result.weights, stopping=None, best_weights=None)
        for result in results
    )


def resume(before: Fitted, problem: Problem) -> list[TrainingState]:
    """Return where the training of each network of a problem goes on from.

    Without states that were kept, from the weights, with an optimizer that begins anew.

    Raises
    ------
    ValueError
        If the parameters make other networks than the fitted ones.
    """
    changed = _changed(before, problem)
    if changed:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network and its loss, which these "
            f"parameters now contradict: {', '.join(changed)}. Put them back, or fit with "
            "warm_start=False."
        )
    anew = [TrainingState(weights, before.n_epochs) for weights in before.members]
    is_watched_as_before = problem.watched == before.watched
    return [_resume_one(state, problem, is_watched_as_before) for state in before.states or anew]


def _resume_one(
    state: TrainingState, problem: Problem, is_watched_as_before: bool
) -> TrainingState:
    state = replace(state, weights=rearrange(state.weights, problem.network))
    if not is_watched_as_before:
        return replace(state, stopping=None, best_weights=None)
    if state.best_weights is not None:
        state = replace(state, best_weights=rearrange(state.best_weights, problem.network))
    return state


def _changed(before: Fitted, problem: Problem) -> list[str]:
    """Name the parameters that make another network or another problem of it."""
    old, new = before.parameters, problem.parameters
    names = [] if problem.n_members == len(before.members) else ["n_estimators"]
    if problem.network.without_dropout != before.network.without_dropout:
        names += ["units", "depth", "activation", "batch_normalization", *OF_INPUTS]
        names.append("output_activation")
    losses = problem.head.loss, settle_head_again(before).loss
    if not _is_same_loss(*losses):
        are_of_quantiles = any(isinstance(loss, PinballLoss) for loss in losses)
        is_same_name = old["loss"] == describe(new["loss"])
        names.append("quantiles" if are_of_quantiles and is_same_name else "loss")
    if old.get("standardize_target") != new.get("standardize_target"):
        names.append("standardize_target")
    differing = [n for n in names if n not in old or repr(old[n]) != repr(describe(new.get(n)))]
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
