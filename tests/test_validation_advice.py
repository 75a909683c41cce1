"""Each message on parameters of validation, followed literally, leads to a fit that works."""

import ast
import itertools
import re

import keras
import numpy as np
import pytest

from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)
from skdense._estimators import fitting
from skdense._problem.constraints import check_parameters
from skdense._problem.cross_checks import check_agreement
from skdense._problem.given import Given

KINDS = [KerasDenseClassifier, KerasDenseRegressor, KerasTabularClassifier, KerasTabularRegressor]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 2))
NUMBERS = X[:, 0]
CLASSES = (X[:, 0] > 0).astype(int)
SMALL = {"units": 4, "depth": 1, "epochs": 1, "random_state": 0, "dtype": "float32"}
VALUES = {
    "n_estimators": (1, 3),
    "validation_fraction": (None, 0.2, "folds"),
    "early_stopping": (False, True),
    "scoring": ("loss", "calibrated_loss", None),
    "refit_full": (False, True),
    "warm_start": (False, True),
    "callbacks": (None, [keras.callbacks.Callback()]),
    "calibration": (None, "temperature"),
    "quantiles": (None, (0.1, 0.9)),
}
ARGUMENTS = {
    "X_val": (None, X),
    "y_val": (None, NUMBERS),
    "groups": (None, np.arange(60) % 12),
}


def read_advice(message):
    """Return what may be set, one dict for each alternative after the last "Set"."""
    _, _, advice = message.rpartition("Set ")
    found = [
        dict(re.findall(r"(\w+)=('\w+'|[\w.]*\w)", alternative))
        for alternative in advice.split(", or ")
    ]
    return [
        {name: ast.literal_eval(value) for name, value in each.items()} for each in found if each
    ]


def find_message(attempt, choices):
    """Return the message of a ValueError; None where all is well."""
    try:
        attempt(choices)
    except ValueError as error:
        return str(error)
    return None


def follow(attempt, choices, changed=()):
    """Follow every way through the messages; an AssertionError where one does not end in a fit."""
    message = find_message(attempt, choices)
    if message is None:
        return
    advice = read_advice(message)
    assert advice, f"{message} says nothing to set"
    for changes in advice:
        # No message takes back what another one said.
        assert not changes.keys() & set(changed), f"{message} comes after changes of {changed}"
        follow(attempt, choices | changes, (*changed, *changes))


def names_of(kind):
    missing = {"calibration"} if "Regressor" in kind.__name__ else {"quantiles"}
    return [name for name in [*VALUES, *ARGUMENTS] if name not in missing]


def check(kind):
    """Return what checks choices as `fit` does before it reads data."""
    defaults = check_parameters(kind())

    def attempt(choices):
        checked = defaults | {name: value for name, value in choices.items() if name in VALUES}
        given = Given(choices.get("X_val"), choices.get("y_val"), None, suffix="_val")
        check_agreement(checked, given, has_groups=choices.get("groups") is not None)

    return attempt


def fit(kind, X=X, y=None):
    """Return what fits with some choices."""
    if y is None:
        y = CLASSES if "Classifier" in kind.__name__ else NUMBERS

    def attempt(choices):
        parameters = {name: value for name, value in choices.items() if name in VALUES}
        given = {name: value for name, value in choices.items() if name not in VALUES}
        if given.get("y_val") is not None:
            given["y_val"] = y
        kind(**SMALL | parameters).fit(X, y, **given)

    return attempt


class TrainingBeginsError(Exception):
    """Ends a fit where training would begin."""


@pytest.fixture
def until_training(monkeypatch):
    """Return what has an attempt end where training would begin."""

    def begin(tasks):
        raise TrainingBeginsError

    def wrap(attempt):
        def attempt_until_training(choices):
            with pytest.raises(TrainingBeginsError):
                attempt(choices)

        return attempt_until_training

    monkeypatch.setattr(fitting, "train", begin)
    return wrap


@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_ends_in_agreement(kind):
    names = names_of(kind)
    values = [(VALUES | ARGUMENTS)[name] for name in names]
    attempt = check(kind)
    for combination in itertools.product(*values):
        choices = dict(zip(names, combination, strict=True))
        if choices["X_val"] is None or choices["y_val"] is not None:
            follow(attempt, choices)


def make_pairs(kind):
    """Return all pairs of values that are no defaults, with defaults beside them."""
    defaults = kind().get_params() | dict.fromkeys(ARGUMENTS)
    changes = [
        (name, value)
        for name in names_of(kind)
        for value in (VALUES | ARGUMENTS)[name]
        if repr(value) != repr(defaults[name])
    ]
    made = [dict(pair) for pair in itertools.combinations(changes, 2)]
    complete = [{**own, "y_val": NUMBERS} if own.get("X_val") is not None else own for own in made]
    return [own for own in complete if own.get("X_val") is not None or own.get("y_val") is None]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [KerasTabularClassifier, KerasDenseRegressor])
def test_every_pair_ends_in_training(kind, until_training):
    for choices in make_pairs(kind):
        follow(until_training(fit(kind)), choices)


@pytest.mark.slow
def test_one_network_of_the_tabular_estimators_has_callbacks():
    calls = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: calls.append(epoch))
    follow(fit(KerasTabularRegressor), {"n_estimators": 2, "callbacks": [callback]})
    assert calls == [0]  # with n_estimators=1, and none with callbacks=None


LETTERS = list("aaabbccc")


@pytest.mark.parametrize(
    ("kind", "y", "groups"),
    [
        (KerasTabularRegressor, np.arange(7.0), None),
        (KerasTabularRegressor, np.arange(2.0), None),
        (KerasTabularRegressor, np.arange(8.0), [1, 1, 1, 1, 2, 2, 3, 3]),
        (KerasTabularRegressor, np.arange(8.0), [1] * 8),
        (KerasTabularClassifier, LETTERS[1:], None),
        (KerasTabularClassifier, [*LETTERS[1:], "d"], None),
        (KerasTabularClassifier, ["a", "b"], None),
        (KerasTabularClassifier, LETTERS, [1, 1, 2, 2, 3, 3, 4, 4]),
        (KerasTabularClassifier, LETTERS, [1, 1, 1, 2, 2, 3, 3, 3]),
        (KerasTabularClassifier, LETTERS, [1] * 8),
    ],
)
@pytest.mark.filterwarnings("ignore:The folds hold no row", "ignore:The validation rows hold none")
@pytest.mark.filterwarnings("ignore:.*too few, or too many")
def test_few_rows_and_groups_end_in_training(kind, y, groups, until_training):
    attempt = until_training(fit(kind, X[: len(y)], np.array(y)))
    with pytest.raises(ValueError, match="Set"):
        attempt({"groups": groups})
    follow(attempt, {"groups": groups})


@pytest.mark.parametrize("fraction", [0.99, 0.8])
@pytest.mark.parametrize("kind", [KerasDenseClassifier, KerasDenseRegressor])
@pytest.mark.filterwarnings("ignore:.*too few, or too many")
def test_a_fraction_that_leaves_too_few_rows(kind, fraction, until_training):
    y = np.arange(10) % 3
    if kind is KerasDenseRegressor:
        fraction = 0.999
    attempt = until_training(fit(kind, X[:10], y))
    with pytest.raises(ValueError, match=r"Set validation_fraction=0\.\d+\.$"):
        attempt({"validation_fraction": fraction})
    follow(attempt, {"validation_fraction": fraction})
