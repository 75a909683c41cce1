"""Private attributes of Keras, scikit-learn and Python that there is no public way around.

Each is read here alone, so that a release that renames it breaks one line;
``tests/test_private_attributes.py`` holds them against what is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .loading import callable_options


def arguments_beside_configuration(loss: Any) -> dict[str, Any]:
    """Return arguments of a Keras loss that several leave out of their ``get_config``.

    Such as the delta of Huber, so that copies by configuration would be of another loss.
    """
    return vars(loss).get("_fn_kwargs", {})


def traces_batches(tensorboard: Any) -> bool:
    """Say whether a TensorBoard callback profiles batches, of which it keeps nothing else."""
    return bool(tensorboard._should_trace)


def follow_initial_epoch(model: Any, restored: Any) -> None:
    """Begin with the epoch that Keras' BackupAndRestore has left on the model that it was given."""
    model._initial_epoch = getattr(restored, "_initial_epoch", None)


def begin_callbacks(estimator: Any, max_subtasks: int) -> Any:
    """Return the context by which scikit-learn's callbacks hear of a fit; None before release 1.9.

    It is documented for other libraries under this name.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def has_callbacks(estimator: Any) -> bool:
    """Say whether scikit-learn's ``set_callbacks`` has set any."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


def make_session_call(
    session: Any, feeds: list[str], fetches: list[str], *, is_fast: bool
) -> Callable[..., Any]:
    """Return a way to run a session again and again: from arrays to a list of arrays.

    The public one looks at each feed and fetch in every call, which takes 1 ms for 40 of them.
    """
    if not is_fast or not hasattr(session, "_make_callable_from_options"):
        return session.make_callable(fetches, feeds)
    return session._make_callable_from_options(callable_options(feed=feeds, fetch=fetches))
