"""Scorers of validation rows: tried before training, on predictions that are right."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, make_scorer

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._estimators import fitting
from skdense._estimators.copies import copy_with_fit
from skdense._problem.scored_fits import make_trial_fits
from skdense._problem.validation_score import make_score

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 3))
COUNTS = RNG.poisson(1.0, 80).astype(float)
TWO = (X[:, 0] > 0).astype(int)
THREE = np.array(list("abc"))[np.digitize(X[:, 0], [-0.4, 0.4])]
LABELS = np.c_[TWO, X[:, 1] > 0, X[:, 2] > 1].astype(int)
SMALL = {"units": 4, "depth": 1, "epochs": 2, "random_state": 0, "validation_fraction": 0.25}
OUTPUTS = [
    {},
    {"output_activation": "softmax"},
    {"output_activation": "linear"},
    {"output_activation": "tanh", "loss": "hinge"},
    {"output_activation": "log_softmax", "loss": "mse"},
    {"output_activation": "relu", "loss": "mse"},
    {"output_activation": "sigmoid", "loss": "binary_crossentropy"},
]


class TrainingBeginsError(Exception):
    """Ends a fit where training would begin."""


def try_out(network, y, monkeypatch, **given):
    """Return the problem and the draft of a fit, which ends where training would begin."""
    seen = []

    def spy(fit_with, draft, problem):
        seen.append((problem, draft))
        return make_score(fit_with, draft, problem)

    def begin(tasks):
        raise TrainingBeginsError

    monkeypatch.setattr(fitting, "make_score", spy)
    monkeypatch.setattr(fitting, "train", begin)
    with pytest.raises(TrainingBeginsError):
        network.fit(X, y, **given)
    return seen[0]


@pytest.mark.parametrize("changes", OUTPUTS, ids=lambda changes: "-".join(changes.values()))
@pytest.mark.parametrize("y", [TWO, THREE, LABELS], ids=["two", "three", "labels"])
def test_trial_predictions_of_classes_are_right(changes, y, monkeypatch):
    if y is LABELS and "softmax" in changes.get("output_activation", ""):
        return  # labels have one output each
    network = KerasDenseClassifier(**SMALL | changes)
    problem, draft = try_out(network, y, monkeypatch)
    codes = problem.held_out.targets
    [trial] = make_trial_fits(draft, problem, codes)
    estimator = copy_with_fit(network, trial)
    rows, right = problem.held_out.inputs, problem.labels.decode(codes)
    assert (estimator.predict(rows) == right).all()
    probabilities = estimator.predict_proba(rows)
    chosen = probabilities if codes.ndim == 2 else probabilities[np.arange(len(codes)), codes]
    wanted = codes if codes.ndim == 2 else 1
    assert np.abs(chosen - wanted).max() < 1e-3
    assert estimator.decision_function(rows).shape[0] == len(rows)


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.5, 0.9)])
def test_trial_predictions_of_numbers_are_right_to_the_bit(quantiles, monkeypatch):
    y = np.c_[COUNTS, 1e9 + COUNTS] / 3
    network = KerasDenseRegressor(**SMALL, quantiles=quantiles)
    problem, draft = try_out(network, y, monkeypatch)
    right, mean = (
        copy_with_fit(network, trial)
        for trial in make_trial_fits(draft, problem, problem.held_out.targets)
    )
    held = problem.held_out
    np.testing.assert_array_equal(right.predict(held.inputs), held.targets)
    np.testing.assert_array_equal(right.predict(held.inputs[:3]), held.targets[:3])
    np.testing.assert_allclose(mean.predict(held.inputs) - held.targets.mean(axis=0), 0, atol=1e-6)
    if quantiles:
        assert right.predict_quantiles(held.inputs).shape == (20, 2, 3)


@pytest.mark.parametrize(
    "scoring",
    [
        "neg_mean_poisson_deviance",  # takes no prediction of 0
        "neg_mean_squared_log_error",  # none below 0
        "neg_mean_absolute_percentage_error",
        "r2",
        None,
    ],
)
def test_scorers_of_a_domain_are_not_refused(scoring, monkeypatch):
    network = KerasDenseRegressor(**SMALL, early_stopping=True, scoring=scoring)
    try_out(network, COUNTS, monkeypatch)


def by_decision(estimator, rows, y):
    return -float(np.abs(estimator.decision_function(rows)).mean())


@pytest.mark.parametrize(
    "scoring",
    [
        "roc_auc_ovr",
        "neg_log_loss",
        "f1_macro",
        "top_k_accuracy",
        by_decision,
        make_scorer(log_loss, greater_is_better=False, response_method="predict_proba"),
    ],
)
def test_scorers_of_classes_are_not_refused(scoring, monkeypatch):
    network = KerasDenseClassifier(**SMALL, early_stopping=True, scoring=scoring)
    try_out(network, THREE, monkeypatch)


def of_weights(estimator, rows, y):
    return estimator.score(rows, y) - 0.01 * np.abs(estimator.coefs_[0]).sum()


def test_a_scorer_that_reads_weights_finds_some(monkeypatch):
    for changes in ({}, {"n_estimators": 3, "validation_fraction": "folds"}):
        network = KerasDenseClassifier(**SMALL | changes, scoring=of_weights)
        try_out(network, THREE, monkeypatch)


def fail_to_begin(tasks):
    raise AssertionError("Training began.")


@pytest.mark.parametrize(
    ("network", "y", "match"),
    [
        (KerasDenseRegressor(scoring="r2"), COUNTS[:8], "Got NaN from 'r2'"),
        (KerasDenseRegressor(scoring="accuracy"), COUNTS / 3, "Got 'accuracy', which failed"),
        (KerasDenseClassifier(scoring="roc_auc"), np.arange(80) < 2, r"lack the classes \[True\]"),
        (KerasDenseClassifier(scoring="roc_auc_ovr"), np.minimum(np.arange(80), 2), r"\[0, 1\]"),
    ],
)
@pytest.mark.filterwarnings("ignore:R.2 score is not well", "ignore:Only one class is present")
@pytest.mark.filterwarnings("ignore:The validation rows hold none of these rare")
def test_what_cannot_be_scored_is_refused_before_training(network, y, match, monkeypatch):
    monkeypatch.setattr(fitting, "train", fail_to_begin)
    network.set_params(early_stopping=True, validation_fraction=0.1, random_state=0)
    with pytest.raises(ValueError, match=rf"(?s){match}.*Set scoring='loss'"):
        network.fit(X[: len(y)], y)


@pytest.mark.filterwarnings("ignore:The folds hold no row of these classes")
def test_a_class_that_no_fold_holds_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(fitting, "train", fail_to_begin)
    network = KerasDenseClassifier(n_estimators=3, validation_fraction="folds", epochs=1)
    with pytest.raises(ValueError, match=r"lack the classes \['z'\].\) Set scoring='loss'"):
        network.set_params(scoring="roc_auc_ovr").fit(X, np.r_[THREE[1:], ["z"]])


def test_a_scorer_that_fails_at_a_prediction_fails_in_training():
    def fail_at_a_mistake(estimator, rows, y):
        assert (estimator.predict(rows) == y).all(), "a mistake"
        return 1.0

    network = KerasDenseClassifier(**SMALL, scoring=fail_at_a_mistake)
    with pytest.raises(ValueError, match="which failed: a mistake"):
        network.fit(X, TWO[::-1])
