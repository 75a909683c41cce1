"""Messages about arguments that a method does not have: the right name, and the user's class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .._problem.known_names import suggest_names
from .sklearn_bases import ClassifierMixin

Method = TypeVar("Method", bound=Callable[..., Any])

# Names of MLPClassifier, Keras, skorch and the libraries of boosted trees, and what they are here.
_COUNTERPARTS = {
    "alpha": ("l2",),
    "batch_norm": ("batch_normalization",),
    "cat_features": ("categorical_features",),
    "categorical_features": ("categorical_features",),  # of the other estimators
    "categorical_feature": ("categorical_features",),
    "clip_norm": ("clipnorm",),
    "criterion": ("loss",),
    "decay": ("weight_decay",),
    "dropout_rate": ("dropout",),
    "early_stopping_round": ("early_stopping", "patience"),
    "early_stopping_rounds": ("early_stopping", "patience"),
    "eval_metric": ("scoring",),
    "eval_sample_weight": ("sample_weight_val",),
    "eval_set": ("X_val", "y_val"),
    "eval_X": ("X_val",),
    "eval_y": ("y_val",),
    "hidden_layer_sizes": ("units",),
    "hidden_units": ("units",),
    "iterations": ("epochs",),
    "kernel_regularizer": ("l1", "l2"),
    "learning_rate_init": ("learning_rate",),
    "lr": ("learning_rate",),
    "max_epochs": ("epochs",),
    "max_iter": ("epochs",),
    "model": ("from_keras",),
    "n_ensemble": ("n_estimators",),
    "n_iter": ("epochs",),
    "n_iter_no_change": ("patience",),
    "n_layers": ("depth",),
    "n_members": ("n_estimators",),
    "num_layers": ("depth",),
    "objective": ("loss",),
    "random_seed": ("random_state",),
    "sample_weight_eval_set": ("sample_weight_val",),
    "scheduler": ("learning_rate_schedule",),
    "seed": ("random_state",),
    "solver": ("optimizer",),
    "tol": ("min_delta",),
    "validation_data": ("X_val", "y_val"),
    "validation_split": ("validation_fraction",),
    "weight": ("sample_weight",),
    "x": ("X",),
}


def with_argument_hints(method: Method) -> Method:
    """Have a method say the right names where it is called with arguments that it does not have.

    The signature stays, by which scikit-learn finds parameters and routes metadata. Python's own
    message names the class that defines a method, which is not the user's.
    """
    signature = inspect.signature(method)
    is_of_class = next(iter(signature.parameters)) == "cls"

    @functools.wraps(method)
    def hinting(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except TypeError:
            mismatch = _find_mismatch(signature, self, args, kwargs)
            if mismatch is None:
                raise
        kind = self if is_of_class else type(self)
        unknown = [name for name in kwargs if name not in signature.parameters]
        hints = suggest_arguments(kind, unknown, signature.parameters)
        raise TypeError(f"{kind.__name__}.{method.__name__}() {mismatch}.{hints}")

    return hinting  # type: ignore[return-value]


def _find_mismatch(
    signature: inspect.Signature, self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    """Return why arguments are not those of a signature; None if they are."""
    try:
        signature.bind(self, *args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def suggest_arguments(kind: type, unknown: Iterable[str], arguments: Iterable[str]) -> str:
    """Return the end of a message: what unknown arguments are called, and where they belong.

    Parameters
    ----------
    kind : type
        The estimator's class.
    unknown : iterable of str
    arguments : iterable of str
        Those that the method has.
    """
    hints = (_suggest(kind, name, set(arguments) - {"self", "cls"}) for name in unknown)
    return "".join(f" {hint}" for hint in hints if hint)


def _suggest(kind: Any, unknown: str, arguments: set[str]) -> str:
    of_class, name = set(inspect.signature(kind).parameters), kind.__name__
    of_fit = set(inspect.signature(kind.fit).parameters) - {"self"}
    right = (unknown,) if unknown in of_class | of_fit else _COUNTERPARTS.get(unknown, ())
    if right == ("from_keras",):
        return f"Use {name}.from_keras(model) for a trained Keras model."
    if right == ("categorical_features",) and not of_class.issuperset(right):
        task = "Classifier" if issubclass(kind, ClassifierMixin) else "Regressor"
        return f"{name} needs numeric features. Use KerasTabular{task}(categorical_features=...)."
    if right and arguments.issuperset(right):
        return f"Use {' and '.join(right)} in place of {unknown}."
    if right and of_class.issuperset(right):
        call = ", ".join(f"{parameter}=..." for parameter in right)
        return f"Pass it to the constructor: {name}({call})."
    if right and of_fit.issuperset(right):
        return f"Pass {' and '.join(right)} to fit."
    return suggest_names(unknown, sorted(arguments | of_class)).lstrip()
