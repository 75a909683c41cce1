"""Temperatures: on rows held out, shared or out of fold, and in every view."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss

import skdense
from skdense import KerasDenseClassifier
from skdense._estimators.copies import copy_with_fit

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4))
SCORES = X @ [1.0, -1.0, 0.5, 0.2] + 1.5 * RNG.standard_normal(300)
TWO = (SCORES > 0).astype(int)
THREE = np.array(list("abc"))[np.digitize(SCORES, [-0.7, 0.7])]
LABELS = np.c_[SCORES > 0, SCORES > 1].astype(int)
NETWORK = KerasDenseClassifier(
    units=64, epochs=40, learning_rate=0.02, random_state=0, validation_fraction=0.3
)
NETWORK.set_params(learning_rate_schedule=None, l2=0.0)  # every step as the one before
LOGITS = {"output_activation": "linear"}
VIEWS = [{}, {"n_estimators": 2}, {"n_estimators": 3, "validation_fraction": "folds"}]
views = pytest.mark.parametrize("view", VIEWS, ids=["alone", "shared", "folds"])


def fitted(y, **changes):
    return clone(NETWORK).set_params(**{"calibration": "temperature"} | changes).fit(X, y)


def scaled(network, factor):
    """Return the network with logits divided by a further factor."""
    members = tuple(
        (*own[:-1], {name: array / factor for name, array in own[-1].items()})
        for own in network._fitted.members
    )
    return copy_with_fit(network, replace(network._fitted, members=members))


@pytest.mark.slow
@views
@pytest.mark.parametrize(("y", "head"), [(TWO, {}), (THREE, {}), (TWO, LOGITS), (THREE, LOGITS)])
def test_no_other_temperature_is_better_on_the_rows_held_out(view, y, head):
    network = fitted(y, **view, **head)
    assert network.temperature_ > 1.2  # a network that has overfitted

    def loss(estimator):
        if "validation_fraction" not in view:
            held = network.validation_indices_
            return log_loss(y[held], estimator.predict_proba(X[held]))
        parts = []
        for number, own in enumerate(estimator._fitted.members):
            held = network.validation_folds_ == number
            one = copy_with_fit(estimator, replace(estimator._fitted, members=(own,)))
            parts.append(log_loss(y[held], one.predict_proba(X[held]), labels=network.classes_))
        return np.average(parts, weights=np.bincount(network.validation_folds_))

    best = loss(network)
    for factor in (0.9, 1.1, 1 / network.temperature_):
        assert loss(scaled(network, factor)) > best


@views
def test_decisions_of_a_single_network_stay(view, tmp_path):
    plain = clone(NETWORK).set_params(**view).fit(X, THREE)
    network = fitted(THREE, **view)
    assert network.history_ == plain.history_
    if not view:
        assert_array_equal(network.predict(X), plain.predict(X))
    rows, expected = X.astype(np.float32), network.predict_proba(X.astype(np.float32))
    assert_allclose(network.to_keras()(rows), expected, rtol=1e-4, atol=1e-6)
    session = onnxruntime.InferenceSession(skdense.to_onnx(network, rows).SerializeToString())
    *_, outputs = session.run(None, {session.get_inputs()[0].name: rows})
    assert_allclose(outputs, expected, rtol=1e-4, atol=1e-6)
    network.save(tmp_path / "network.skdense")
    twin = skdense.load(tmp_path / "network.skdense")
    assert twin.temperature_ == network.temperature_
    assert_array_equal(twin.predict_proba(rows), expected)


def test_labels_weights_and_rows_of_ones_own():
    labels = fitted(LABELS)
    assert labels.temperature_ > 1
    weights = np.where(np.arange(300) < 150, 1.0, 1e-3)
    given = clone(NETWORK).set_params(calibration="temperature", validation_fraction=None)
    heavy = clone(given).fit(X[:200], TWO[:200], X_val=X[200:], y_val=TWO[200:])
    light = clone(given).fit(
        X[:200], TWO[:200], X_val=X[200:], y_val=TWO[200:], sample_weight_val=weights[100:200]
    )
    assert heavy.temperature_ != light.temperature_


def test_refit_takes_the_temperature_of_the_watched_training():
    settings = {"early_stopping": True, "refit_full": True, "epochs": 10}
    plain = clone(NETWORK).set_params(**settings).fit(X, THREE)
    network = fitted(THREE, **settings)
    cooled = scaled(plain, network.temperature_)
    assert_allclose(network.predict_proba(X), cooled.predict_proba(X), rtol=1e-5)


def test_training_goes_on_from_before_the_temperature():
    network = fitted(THREE, warm_start=True, dtype="float64", epochs=5).fit(X, THREE)
    longer = fitted(THREE, dtype="float64", epochs=10)
    assert_allclose(network.predict_proba(X), longer.predict_proba(X), rtol=1e-7)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"validation_fraction": None}, "needs rows that are held out. Got validation_fraction=No"),
        ({"output_activation": "relu", "loss": "mse"}, r"divides logits.* Got 'relu'"),
        ({"calibration": "isotonic"}, "'calibration' parameter"),
    ],
)
def test_what_cannot_be_calibrated_is_an_error(changes, match):
    with pytest.raises(ValueError, match=match):
        fitted(TWO, **changes)


def test_streams_hold_no_rows_out():
    network = KerasDenseClassifier(calibration="temperature")
    with pytest.raises(ValueError, match="partial_fit holds no rows out to calibrate on"):
        network.partial_fit(X, TWO, classes=[0, 1])
