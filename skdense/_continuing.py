"""Going on with a network: what has to be as it was, and where it goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan
from typing import Any

from ._heads import Head
from ._network import Network
from .training import TrainingState

History = dict[str, list[float]]


@dataclass(frozen=True, eq=False)
class Memory:
    """What later trainings of the same network need besides it.

    Attributes
    ----------
    seed : int
    batch_size : int
    dtype : {"float32", "float64"}
    mean_weight : float
        Of the rows first trained on, which `partial_fit` goes on to divide by.
    state : TrainingState or None
        Kept where ``warm_start`` or ``partial_fit`` asked for it.
    """

    seed: int
    batch_size: int
    dtype: str
    mean_weight: float
    state: TrainingState | None


def starting_state(estimator: Any) -> TrainingState | None:
    """Return where a fitted estimator's training goes on; None for an unfitted one.

    Without a state kept for it, from its weights, with an optimizer that begins anew. A score
    other than the one watched so far starts from scratch.
    """
    if not hasattr(estimator, "_memory"):
        return None
    state: TrainingState | None = estimator._memory.state
    if state is None:
        return TrainingState(estimator._weights, estimator.n_iter_)
    if estimator._fit_parameters["scoring"] != estimator.scoring:
        return replace(state, stopping=None, best_weights=None)
    return state


def require_same_network(
    estimator: Any, network: Network, head: Head, before: Network, head_before: Head
) -> None:
    """Raise ValueError if the parameters make another network than the fitted one."""
    changed = [
        name
        for name in ("units", "depth", "activation", "batch_normalization")
        if repr(getattr(estimator, name)) != repr(estimator._fit_parameters[name])
    ]
    if head != head_before:
        changed += ["loss", "output_activation"]
    same_target = estimator.get_params(deep=False).get("standardize_target")
    if same_target != estimator._fit_parameters.get("standardize_target"):
        changed.append("standardize_target")
    if network != before or head != head_before or "standardize_target" in changed:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network and its loss, which these "
            f"parameters now contradict: {', '.join(changed)}. Put them back, or fit with "
            "warm_start=False."
        )


def joined(before: History, after: History) -> History:
    """Append one history to another; NaN where an epoch lacks a name."""
    n_before, n_after = (len(history.get("loss", ())) for history in (before, after))
    return {
        name: [*before.get(name, [nan] * n_before), *after.get(name, [nan] * n_after)]
        for name in before | after
    }
