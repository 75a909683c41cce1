"""Rows held out while training: which ones, what is recorded of them, and when it stops."""

import functools
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import (
    accuracy_score,
    get_scorer,
    log_loss,
    make_scorer,
    mean_absolute_error,
    mean_squared_error,
    median_absolute_error,
    recall_score,
)
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdense import (
    FeatureScaleWarning,
    KerasDenseClassifier,
    KerasDenseRegressor,
    SlowEngineWarning,
)
from skdense._training.program import trace_count

# float32 data, so that its dtype does not hang on the number of rows. Classes of 60, 20 and 10.
RNG = np.random.default_rng(0)
ROWS = 90
X = RNG.standard_normal((ROWS, 4)).astype(np.float32)
NUMBERS = X @ [1.0, -1.0, 0.5, 0.0] + 0.5 * RNG.standard_normal(ROWS)
CLASSES = np.searchsorted(np.sort(NUMBERS)[[60, 80]], NUMBERS, side="right")
TWO_CLASSES = (CLASSES > 0).astype(int)
LABELS = np.column_stack([NUMBERS > 0, CLASSES > 0, CLASSES > 1]).astype(int)
WEIGHTS = RNG.integers(1, 5, ROWS).astype(float)
TARGETS = {KerasDenseClassifier: CLASSES, KerasDenseRegressor: NUMBERS}
X_VAL = RNG.standard_normal((21, 4)).astype(np.float32)
CLASSES_VAL = np.arange(21) % 3
NUMBERS_VAL = RNG.standard_normal(21)
VALIDATION = {KerasDenseClassifier: CLASSES_VAL, KerasDenseRegressor: NUMBERS_VAL}

# One architecture for all, so that it compiles once for each kind of target.
SMALL = {"units": 6, "depth": 1, "batch_size": 16, "epochs": 2, "random_state": 0}
SMALL |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
# Fast enough to overfit within these epochs, so that training stops before they are over.
STOPPING = {"early_stopping": True, "epochs": 60, "patience": 4, "learning_rate": 0.05}

both = pytest.mark.parametrize("kind", [KerasDenseClassifier, KerasDenseRegressor])


def small(kind, **parameters):
    return kind(**SMALL | parameters)


def flat_weights(estimator):
    return [array for stage in estimator._fitted.members[0] for array in stage.values()]


def assert_same_weights(one, other):
    for ours, theirs in zip(flat_weights(one), flat_weights(other), strict=True):
        assert_array_equal(ours, theirs)


def trained_rows(network, n_rows=ROWS):
    return np.delete(np.arange(n_rows), network.validation_indices_)


# --- the split ---------------------------------------------------------------------------


def shares(y, rows):
    """Return the share of each class, or combination of labels, that is among the rows."""
    names, codes = np.unique(y, axis=0, return_inverse=True)
    codes = codes.ravel()
    return np.bincount(codes[rows], minlength=len(names)) / np.bincount(codes)


@pytest.mark.slow
@both
def test_split_is_shuffled_and_of_the_fraction(kind):
    network = small(kind, validation_fraction=0.2).fit(X, TARGETS[kind])
    held = network.validation_indices_
    assert len(np.unique(held)) == 18
    assert 0 <= held.min() < 30
    assert 60 < held.max() < ROWS
    assert not (np.diff(held) == 1).all()


@both
def test_split_is_drawn_from_random_state(kind):
    splits = [
        small(kind, validation_fraction=0.2, random_state=seed)
        .fit(X, TARGETS[kind])
        .validation_indices_
        for seed in (1, 1, 2)
    ]
    assert_array_equal(splits[0], splits[1])
    assert len(np.intersect1d(splits[0], splits[2])) < 18


@pytest.mark.parametrize("seed", range(3))
def test_split_keeps_the_proportions_of_classes(seed):
    network = small(KerasDenseClassifier, validation_fraction=0.2, random_state=seed)
    network.fit(X, CLASSES)
    assert_array_equal(np.bincount(CLASSES[network.validation_indices_]), [12, 4, 2])


@pytest.mark.slow
@pytest.mark.parametrize("names", [("yes", "no"), (False, True)], ids=str)
def test_split_keeps_the_proportions_of_two_classes(names):
    y = np.array(names)[TWO_CLASSES]
    network = small(KerasDenseClassifier, validation_fraction=0.2).fit(X, y)
    assert_array_equal(np.bincount(TWO_CLASSES[network.validation_indices_]), [12, 6])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_split_keeps_the_proportions_of_combinations_of_labels(seed):
    combinations = np.repeat([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], [50, 20, 10, 10], axis=0)
    network = small(KerasDenseClassifier, validation_fraction=0.2, random_state=seed)
    network.fit(X, combinations)
    assert_allclose(shares(combinations, network.validation_indices_), 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("n_rare", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
# A warning may say which combinations are too rare.
@pytest.mark.filterwarnings("ignore:.*validation rows:UserWarning")
def test_rare_combinations_of_labels_leave_the_others_in_proportion(seed, n_rare):
    rare = [[0, 1, 0], [0, 0, 1], [1, 0, 1]][:n_rare]
    common = np.repeat([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], [50 - n_rare, 20, 10, 10], 0)
    y = np.concatenate([common, rare])
    network = small(KerasDenseClassifier, validation_fraction=0.2, random_state=seed).fit(X, y)
    held_of_each = {
        tuple(labels): (y[network.validation_indices_] == labels).all(axis=1).sum()
        for labels in np.unique(common, axis=0)
    }
    assert held_of_each[1, 0, 0] in (3, 4, 5)
    assert held_of_each[1, 1, 0] in (1, 2, 3)
    assert held_of_each[1, 1, 1] in (1, 2, 3)


@both
def test_validation_indices_are_rows_of_x_as_given_also_where_weights_of_zero_drop_some(kind):
    weights = np.tile([1.0, 0.0, 2.0], 30)
    network = small(kind, validation_fraction=0.2).fit(X, TARGETS[kind], weights)
    held = network.validation_indices_
    assert len(held) == 12  # of the 60 rows that count
    assert (weights[held] > 0).all()
    train = np.setdiff1d(np.flatnonzero(weights), held)
    alone = small(kind).fit(X[train], TARGETS[kind][train], weights[train])
    assert_same_weights(network, alone)
    y, given = TARGETS[kind][held], {"sample_weight": weights[held]}
    if kind is KerasDenseClassifier:
        expected = log_loss(y, network.predict_proba(X[held]), **given)
    else:
        scaler = StandardScaler().fit(NUMBERS[train, np.newaxis], None, weights[train])
        error = mean_squared_error(y, network.predict(X[held]), **given)
        expected = error / scaler.var_[0]
    assert network.history_["val_loss"][-1] == pytest.approx(expected, rel=2e-5)


@both
@pytest.mark.parametrize("batch_size", [16, pytest.param("auto", marks=pytest.mark.slow)])
def test_held_out_rows_do_not_touch_the_training(kind, batch_size):
    parameters = {"batch_size": batch_size, "epochs": 5, "random_state": 3}
    network = small(kind, validation_fraction=0.3, **parameters).fit(X, TARGETS[kind])
    train = trained_rows(network)
    alone = small(kind, **parameters).fit(X[train], TARGETS[kind][train])
    assert_same_weights(network, alone)
    assert network.loss_curve_ == alone.loss_curve_


@both
def test_held_out_rows_only_change_what_is_recorded_of_them(kind):
    network = small(kind, validation_fraction=0.3, epochs=5).fit(X, TARGETS[kind])
    others = X.copy()
    others[network.validation_indices_] *= -1
    again = clone(network).fit(others, TARGETS[kind])
    assert_same_weights(network, again)
    assert network.loss_curve_ == again.loss_curve_
    assert network.history_["val_loss"] != again.history_["val_loss"]


@both
def test_fraction_alone_records_histories_without_stopping(kind):
    network = small(kind, epochs=30, learning_rate=0.1, patience=1, validation_fraction=0.2)
    network.fit(X, TARGETS[kind])
    losses = network.history_["val_loss"]
    assert min(np.diff(losses)) < 0 < max(np.diff(losses))  # patience would have run out
    assert len(losses) == len(network.loss_curve_) == network.n_iter_ == 30
    assert network.best_epoch_ == np.argmin(losses) + 1 < 30
    unwatched = small(kind, epochs=30, learning_rate=0.1)
    train = trained_rows(network)
    assert_same_weights(network, unwatched.fit(X[train], TARGETS[kind][train]))


@both
def test_early_stopping_holds_out_a_tenth_by_default(kind):
    network = small(kind, early_stopping=True).fit(X, TARGETS[kind])
    assert len(network.validation_indices_) == 9


@both
def test_without_validation_nothing_is_held_out(kind):
    network = small(kind, early_stopping=True).fit(X, TARGETS[kind])
    network.set_params(early_stopping=False).fit(X, TARGETS[kind])
    assert not hasattr(network, "validation_indices_")
    assert list(network.history_) == ["loss"]
    assert network.best_epoch_ == network.n_iter_ == 2


def test_sparse_rows_are_held_out_as_dense_ones():
    network = small(KerasDenseClassifier, scoring="accuracy", **STOPPING)
    dense, sparse = (clone(network).fit(data, CLASSES) for data in (X, csr_array(X)))
    assert_array_equal(dense.validation_indices_, sparse.validation_indices_)
    assert_same_weights(dense, sparse)
    assert_allclose(dense.history_["val_loss"], sparse.history_["val_loss"], rtol=1e-6)


def test_classes_of_one_row_stay_in_training_with_a_warning():
    y = np.array(["often", "some"], object)[TWO_CLASSES]
    y[50] = "lone"
    network = small(KerasDenseClassifier, validation_fraction=0.9)
    with pytest.warns(UserWarning, match=r"none of these rare classes: \['lone'\]"):
        network.fit(X, y)
    assert 50 not in network.validation_indices_
    assert len(network.validation_indices_) == 81


def test_at_most_ten_rare_classes_are_named():
    y = np.r_[np.zeros(50, int), np.arange(1, 41)]  # 40 of them on one row each
    with pytest.warns(UserWarning, match=r"rare classes: \[1, .*, 9, 10\] and 30 more\.$"):
        small(KerasDenseClassifier, validation_fraction=0.2).fit(X, y)


def test_too_few_validation_rows_for_the_classes_warn():
    network = small(KerasDenseClassifier, validation_fraction=0.02)
    with pytest.warns(UserWarning, match="2 validation rows of 90 are too few.* each class"):
        network.fit(X, CLASSES)
    assert len(network.validation_indices_) == 2


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.5, 0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("seed", range(3))
def test_every_class_is_trained_on_whatever_the_fraction(fraction, seed):
    y = np.repeat([0, 1, 2], [84, 4, 2])
    network = small(KerasDenseClassifier, validation_fraction=fraction, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "[0-9]+ validation rows of 90 are .*too many")
        network.fit(X, y)
    assert_array_equal(np.unique(y[trained_rows(network)]), [0, 1, 2])


# --- rows of the user's own --------------------------------------------------------------


@both
def test_x_val_takes_the_place_of_the_fraction(kind):
    network = small(kind, validation_fraction=0.999)
    network.fit(X, TARGETS[kind], X_val=X_VAL, y_val=VALIDATION[kind])
    assert not hasattr(network, "validation_indices_")
    assert_same_weights(network, small(kind).fit(X, TARGETS[kind]))
    assert len(network.history_["val_loss"]) == 2


@both
def test_x_val_alone_is_watched_without_stopping(kind):
    network = small(kind).fit(X, TARGETS[kind], X_val=X_VAL, y_val=VALIDATION[kind])
    assert list(network.history_) == ["loss", "val_loss"]


@both
def test_x_val_equal_to_the_rows_held_out_gives_the_same_fit(kind):
    network = small(kind, **STOPPING).fit(X, TARGETS[kind])
    train, held = trained_rows(network), network.validation_indices_
    given = small(kind, **STOPPING).fit(
        X[train], TARGETS[kind][train], X_val=X[held], y_val=TARGETS[kind][held]
    )
    assert given.history_ == network.history_
    assert_same_weights(given, network)


@both
def test_weights_of_x_val_count_relative_to_each_other(kind):
    weights = np.tile([1.0, 0.0, 2.0], 7)
    rows = np.repeat(np.arange(21), weights.astype(int))
    weighted, repeated = (
        small(kind).fit(
            X, TARGETS[kind], X_val=X_VAL[chosen], y_val=VALIDATION[kind][chosen], **given
        )
        for chosen, given in (
            (slice(None), {"sample_weight_val": 7 * weights}),
            (rows, {}),
        )
    )
    assert_allclose(weighted.history_["val_loss"], repeated.history_["val_loss"], rtol=1e-5)


def test_class_weights_count_on_validation_rows_too():
    class_weight = {0: 1.0, 1: 2.0, 2: 5.0}
    network = small(KerasDenseClassifier, class_weight=class_weight, scoring="accuracy")
    network.fit(X, CLASSES, X_val=X_VAL, y_val=CLASSES_VAL)
    weights = [class_weight[label] for label in CLASSES_VAL]
    loss = log_loss(CLASSES_VAL, network.predict_proba(X_VAL), sample_weight=weights)
    score = accuracy_score(CLASSES_VAL, network.predict(X_VAL), sample_weight=weights)
    assert network.history_["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert network.history_["val_score"][-1] == pytest.approx(score)


# --- the same history as Keras -----------------------------------------------------------


def cubed_error(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


CrossEntropy = keras.losses.SparseCategoricalCrossentropy
CLASSIFIED = {
    "multiclass": (CLASSES, {"metrics": ["accuracy"]}),
    "one-hot": (
        CLASSES,
        {
            "metrics": ["acc", "categorical_accuracy", cubed_error],
            "loss": "categorical_crossentropy",
        },
    ),
    "sum": (CLASSES, {"metrics": ["accuracy"], "loss": CrossEntropy(reduction="sum")}),
    "mean_with_sample_weight": (
        CLASSES,
        {"metrics": ["accuracy"], "loss": CrossEntropy(reduction="mean_with_sample_weight")},
    ),
    "two classes": (TWO_CLASSES, {"metrics": ["accuracy", "mse"], "l1": 0.01, "l2": 0.02}),
    "logits": (
        TWO_CLASSES,
        {"metrics": "accuracy", "loss": keras.losses.BinaryCrossentropy(from_logits=True)},
    ),
    "labels": (LABELS, {"metrics": ["accuracy", "mae"], "loss": "binary_crossentropy"}),
    "binary accuracy": (TWO_CLASSES, {"metrics": ["binary_accuracy"]}),
    "binary accuracy of labels": (LABELS, {"metrics": ["binary_accuracy"]}),
}
NUMBERED = {
    "penalties": (NUMBERS, {"metrics": ["mae", "mse"], "l1": 0.01, "l2": 0.02}),
    "two outputs": (
        np.column_stack([NUMBERS, 100 * NUMBERS**2]),
        {"metrics": ["mae", "log_cosh", cubed_error], "loss": "huber"},
    ),
    "normalization": (NUMBERS, {"metrics": "mae", "batch_normalization": True, "optimizer": "sgd"}),
}


def assert_histories_agree(kind, y, changes):
    """Fit with both engines, under weights and short last batches; histories are the same."""
    # 69 and 21 rows in batches of 16.
    rows, held = np.arange(69), np.arange(69, ROWS)
    data = (X[rows], y[rows], WEIGHTS[rows])
    watched = {"X_val": X[held], "y_val": y[held], "sample_weight_val": WEIGHTS[held]}
    parameters = {"epochs": 4, "learning_rate": 0.02} | changes
    compiled, oracle = (
        small(kind, **parameters, engine=engine).fit(*data, **watched)
        for engine in ("compiled", "keras")
    )
    assert (compiled.engine_, oracle.engine_) == ("compiled", "keras")
    assert compiled.history_.keys() == oracle.history_.keys()
    n_metrics = 1 if isinstance(parameters["metrics"], str) else len(parameters["metrics"])
    assert len(compiled.history_) == 2 + 2 * n_metrics
    for name, values in compiled.history_.items():
        assert_allclose(values, oracle.history_[name], rtol=2e-5, atol=1e-7, err_msg=name)
    assert compiled.best_epoch_ == oracle.best_epoch_


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSIFIED)
def test_history_of_classifiers_is_that_of_keras(name):
    assert_histories_agree(KerasDenseClassifier, *CLASSIFIED[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERED)
def test_history_of_regressors_is_that_of_keras(name):
    assert_histories_agree(KerasDenseRegressor, *NUMBERED[name])


@pytest.mark.slow
def test_early_stopping_is_the_same_on_keras():
    compiled, oracle = (
        small(KerasDenseClassifier, engine=engine, scoring="neg_log_loss", **STOPPING).fit(
            X, CLASSES, WEIGHTS
        )
        for engine in ("compiled", "keras")
    )
    assert (compiled.n_iter_, compiled.best_epoch_) == (oracle.n_iter_, oracle.best_epoch_)
    assert_allclose(compiled.history_["val_score"], oracle.history_["val_score"], rtol=1e-3)
    assert_allclose(compiled.predict_proba(X), oracle.predict_proba(X), atol=1e-3)


@pytest.mark.slow
def test_validation_and_its_history_where_only_keras_can_train():
    network = small(KerasDenseRegressor, optimizer="adagrad", validation_fraction=0.2)
    with pytest.warns(SlowEngineWarning):
        network.fit(X, NUMBERS)
    assert len(network.history_["val_loss"]) == 2


@pytest.mark.slow
def test_last_validation_metrics_are_those_of_the_trained_network():
    network = small(KerasDenseClassifier, metrics="accuracy", validation_fraction=0.3)
    held = network.fit(X, CLASSES).validation_indices_
    accuracy = accuracy_score(CLASSES[held], network.predict(X[held]))
    loss = log_loss(CLASSES[held], network.predict_proba(X[held]))
    assert network.history_["val_accuracy"][-1] == pytest.approx(accuracy)
    assert network.history_["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
def test_validation_is_without_dropout():
    network = small(KerasDenseClassifier, dropout=0.5, metrics="accuracy", validation_fraction=0.3)
    held = network.fit(X, CLASSES).validation_indices_
    loss = log_loss(CLASSES[held], network.predict_proba(X[held]))
    assert network.history_["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
def test_metrics_of_a_regressor_are_in_standard_deviations_of_the_target():
    network = small(KerasDenseRegressor, metrics=["mae", "mse"], validation_fraction=0.3)
    y = 1000 * NUMBERS + 5000
    held = network.fit(X, y).validation_indices_
    scale = np.delete(y, held).std()
    error = mean_absolute_error(y[held], network.predict(X[held])) / scale
    assert network.history_["val_mae"][-1] == pytest.approx(error, rel=1e-4)
    assert_allclose(network.history_["val_mse"], network.history_["val_loss"], rtol=1e-6)


# --- when to stop ------------------------------------------------------------------------


@both
def test_restores_the_best_epoch(kind):
    network = small(kind, **STOPPING).fit(X, TARGETS[kind])
    losses = network.history_["val_loss"]
    assert network.best_epoch_ == np.argmin(losses) + 1
    assert len(losses) == len(network.loss_curve_) == network.n_iter_
    assert network.n_iter_ == network.best_epoch_ + STOPPING["patience"] < STOPPING["epochs"]
    train = trained_rows(network)
    plain = clone(network).set_params(early_stopping=False, epochs=network.best_epoch_)
    plain.fit(X[train], TARGETS[kind][train])
    assert_same_weights(network, plain)
    assert_array_equal(network.predict(X), plain.predict(X))


@both
def test_restores_the_best_epoch_where_epochs_end_before_patience(kind):
    network = small(kind, **STOPPING | {"patience": 100}).fit(X, TARGETS[kind])
    assert network.best_epoch_ < network.n_iter_ == STOPPING["epochs"]
    train = trained_rows(network)
    plain = clone(network).set_params(early_stopping=False, epochs=network.best_epoch_)
    assert_same_weights(network, plain.fit(X[train], TARGETS[kind][train]))


@pytest.mark.slow
def test_restores_the_moments_of_batch_normalization():
    network = small(KerasDenseRegressor, batch_normalization=True, **STOPPING).fit(X, NUMBERS)
    assert network.best_epoch_ < network.n_iter_
    train = trained_rows(network)
    plain = clone(network).set_params(early_stopping=False, epochs=network.best_epoch_)
    assert_same_weights(network, plain.fit(X[train], NUMBERS[train]))


@pytest.mark.parametrize("patience", [1, 2, 7])
def test_patience(patience):
    network = small(KerasDenseClassifier, **STOPPING | {"patience": patience, "epochs": 200})
    losses = network.fit(X, CLASSES).history_["val_loss"]
    best = np.minimum.accumulate(losses)
    waits = np.arange(1, len(losses) + 1) - [losses.index(loss) + 1 for loss in best]
    assert waits[-1] == patience
    assert (waits[:-1] < patience).all()


def test_min_delta():
    network = small(KerasDenseClassifier, **STOPPING, min_delta=100.0).fit(X, CLASSES)
    losses = network.history_["val_loss"]
    assert len(losses) == 1 + STOPPING["patience"]
    assert network.best_epoch_ == np.argmin(losses) + 1 > 1


@pytest.mark.slow
@pytest.mark.parametrize("patience", [3, 100])
def test_epochs_run_several_or_one_at_a_time_are_the_same(monkeypatch, patience):
    network = small(KerasDenseClassifier, **STOPPING | {"patience": patience})
    several = clone(network).fit(X, CLASSES)
    # As many steps as one epoch of 81 rows has.
    monkeypatch.setattr("skdense._training.batches._MOST_STEPS", 6)
    single = clone(network).fit(X, CLASSES)
    assert several.history_ == single.history_
    assert_same_weights(several, single)


@both
def test_early_stopping_compiles_once(kind):
    small(kind, **STOPPING).fit(X, TARGETS[kind])
    before = trace_count()
    for seed in range(2):
        changes = {"patience": 2 + seed, "random_state": seed, "validation_fraction": 0.3}
        small(kind, **STOPPING | changes).fit(X[seed:], TARGETS[kind][seed:])
    assert trace_count() == before


# --- scoring -----------------------------------------------------------------------------


def seldom_wrong(estimator, X, y):
    return -float(np.sum(estimator.predict(X) != y))


CLASS_SCORINGS = {
    "accuracy": "accuracy",
    "roc_auc_ovr": "roc_auc_ovr",
    "neg_log_loss": "neg_log_loss",
    "callable": seldom_wrong,
    "scorer": make_scorer(log_loss, greater_is_better=False, response_method="predict_proba"),
    "own score": None,
}
NUMBER_SCORINGS = {
    "neg_mean_absolute_error": "neg_mean_absolute_error",
    "scorer": make_scorer(median_absolute_error, greater_is_better=False),
    "own score": None,
}


def judge(scoring, estimator, *data, **weights):
    if scoring is None:
        return estimator.score(*data, **weights)
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    return scorer(estimator, *data, **weights)


def assert_watched(network, y, scoring, weights=None):
    """Hold the watched score against the scorer itself, on the restored estimator."""
    network.set_params(scoring=scoring, validation_fraction=0.3).fit(X, y, weights)
    scores, held = network.history_["val_score"], network.validation_indices_
    given = {} if weights is None else {"sample_weight": weights[held]}
    score = judge(scoring, network, X[held], y[held], **given)
    assert scores[network.best_epoch_ - 1] == max(scores) == pytest.approx(score, rel=1e-5)
    assert network.best_epoch_ == np.argmax(scores) + 1
    assert network.n_iter_ == network.best_epoch_ + STOPPING["patience"]
    assert len(network.history_["val_loss"]) == len(scores) == network.n_iter_
    return score, judge(scoring, network, X[held], y[held])


@pytest.mark.parametrize("scoring", CLASS_SCORINGS.values(), ids=CLASS_SCORINGS)
def test_score_of_a_classifier_is_watched(scoring):
    assert_watched(small(KerasDenseClassifier, **STOPPING), CLASSES, scoring)


@pytest.mark.parametrize("scoring", NUMBER_SCORINGS.values(), ids=NUMBER_SCORINGS)
def test_score_of_a_regressor_is_watched_in_units_of_the_target(scoring):
    assert_watched(small(KerasDenseRegressor, **STOPPING), 1000 * NUMBERS, scoring)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss", None])
def test_weights_reach_the_scorer_of_a_classifier(scoring):
    network = small(KerasDenseClassifier, **STOPPING)
    weighted, unweighted = assert_watched(network, CLASSES, scoring, WEIGHTS)
    assert abs(weighted - unweighted) > 1e-3


@pytest.mark.parametrize("scoring", ["neg_mean_absolute_error", None])
def test_weights_reach_the_scorer_of_a_regressor(scoring):
    network = small(KerasDenseRegressor, **STOPPING)
    weighted, unweighted = assert_watched(network, NUMBERS, scoring, WEIGHTS)
    assert abs(weighted - unweighted) > 1e-3


def test_labels_reach_the_scorer_as_they_were_given():
    names = np.array(["low", "middle", "high"])
    seen = []

    def remember(estimator, X, y):
        seen.extend(y)
        return estimator.score(X, y)

    network = small(KerasDenseClassifier, scoring=remember, validation_fraction=0.3)
    network.fit(X, names[CLASSES])
    assert set(seen) == set(names)
    # The scorer is tried before the first epoch.
    assert len(seen) == 3 * len(network.validation_indices_)


def test_score_is_recorded_without_early_stopping():
    network = small(KerasDenseClassifier, scoring="accuracy", validation_fraction=0.3, epochs=30)
    held = network.set_params(learning_rate=0.1).fit(X, CLASSES).validation_indices_
    scores = network.history_["val_score"]
    assert len(scores) == 30
    assert scores[-1] == accuracy_score(CLASSES[held], network.predict(X[held]))
    assert network.best_epoch_ == np.argmax(scores) + 1


def test_score_of_a_frame_without_warnings_on_names():
    frame = pd.DataFrame(X, columns=list("abcd"))
    network = small(KerasDenseClassifier, scoring="accuracy", **STOPPING).fit(frame, CLASSES)
    plain = clone(network).fit(X, CLASSES)
    assert network.history_ == plain.history_
    assert_array_equal(network.predict(frame), plain.predict(X))


def test_score_of_x_val():
    network = small(KerasDenseRegressor, scoring="neg_mean_absolute_error", **STOPPING)
    weights = np.tile([1.0, 0.0, 5.0], 7)
    network.fit(X, NUMBERS, X_val=X_VAL, y_val=NUMBERS_VAL, sample_weight_val=weights)
    error = mean_absolute_error(NUMBERS_VAL, network.predict(X_VAL), sample_weight=weights)
    assert max(network.history_["val_score"]) == pytest.approx(-error, rel=1e-5)


@pytest.mark.slow
def test_metadata_routing_changes_nothing_about_the_watched_score():
    network = small(KerasDenseClassifier, scoring="accuracy", **STOPPING)
    plain = clone(network).fit(X, CLASSES, WEIGHTS)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(network).fit(X, CLASSES, WEIGHTS)
    assert routed.history_ == plain.history_


# --- training again on all rows ----------------------------------------------------------


@both
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
def test_refit_full_trains_on_all_rows_for_the_best_number_of_epochs(kind, weights):
    network = small(kind, **STOPPING, refit_full=True).fit(X, TARGETS[kind], weights)
    watched = clone(network).set_params(refit_full=False).fit(X, TARGETS[kind], weights)
    fresh = small(kind, epochs=watched.best_epoch_, learning_rate=0.05)
    assert_same_weights(network, fresh.fit(X, TARGETS[kind], weights))
    assert_array_equal(network.predict(X), fresh.predict(X))
    assert network.history_ == watched.history_
    assert_array_equal(network.validation_indices_, watched.validation_indices_)
    for name in ("n_iter_", "best_epoch_", "loss_curve_"):
        assert getattr(network, name) == getattr(watched, name)


@both
@pytest.mark.parametrize(
    ("weights", "weights_val"),
    [(None, None), (WEIGHTS, None), (None, WEIGHTS[:21]), (WEIGHTS, WEIGHTS[:21])],
    ids=["no weights", "weights", "weights of X_val", "both"],
)
def test_refit_full_trains_on_x_and_x_val(kind, weights, weights_val):
    network = small(kind, **STOPPING, refit_full=True)
    network.fit(
        X,
        TARGETS[kind],
        weights,
        X_val=X_VAL,
        y_val=VALIDATION[kind],
        sample_weight_val=weights_val,
    )
    fresh = small(kind, epochs=network.best_epoch_, learning_rate=0.05)
    own = [np.ones(ROWS) if weights is None else weights]
    own.append(np.ones(21) if weights_val is None else weights_val)
    y = np.concatenate([TARGETS[kind], VALIDATION[kind]])
    fresh.fit(np.concatenate([X, X_VAL]), y, np.concatenate(own))
    assert_same_weights(network, fresh)
    assert len(network.history_["val_loss"]) == network.n_iter_


def test_refit_full_on_sparse_rows():
    network = small(KerasDenseClassifier, **STOPPING, refit_full=True)
    dense, sparse = (
        clone(network).fit(kind(X), CLASSES, X_val=kind(X_VAL), y_val=CLASSES_VAL)
        for kind in (np.asarray, csr_array)
    )
    assert_same_weights(dense, sparse)


def test_refit_full_warns_of_the_scale_once():
    network = small(KerasDenseRegressor, early_stopping=True, refit_full=True)
    with pytest.warns(FeatureScaleWarning) as caught:
        network.fit(100 * X, NUMBERS)
    assert len(caught) == 1


# --- unusable arguments and parameters ---------------------------------------------------


def assert_fit_fails(network, *data, match, error=ValueError, **watched):
    before = vars(network).copy()
    with pytest.raises(error, match=match):
        network.fit(*data, **watched)
    assert vars(network) == before


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"X_val": X_VAL}, r"X_val needs y_val"),
        ({"y_val": NUMBERS_VAL}, "y_val and sample_weight_val need X_val"),
        ({"sample_weight_val": WEIGHTS[:21]}, "y_val and sample_weight_val need X_val"),
        ({"X_val": X_VAL[:, :3], "y_val": NUMBERS_VAL}, "(?s)X_val.* 3 features"),
        ({"X_val": X_VAL[0], "y_val": NUMBERS_VAL}, "(?s)X_val.*Expected 2D array"),
        ({"X_val": X_VAL, "y_val": NUMBERS_VAL[:20]}, r"X_val and y_val.*\[21, 20\]"),
        ({"X_val": X_VAL[:0], "y_val": NUMBERS_VAL[:0]}, r"(?s)X_val.*0 sample\(s\)"),
        ({"X_val": X_VAL * np.nan, "y_val": NUMBERS_VAL}, "X_val.*contains NaN"),
        ({"X_val": X_VAL, "y_val": NUMBERS_VAL * np.nan}, "y_val.*contains NaN"),
        (
            {"X_val": X_VAL, "y_val": np.column_stack([NUMBERS_VAL, NUMBERS_VAL])},
            r"y_val must have 1 column\(s\).* Got 2",
        ),
        (
            {"X_val": X_VAL, "y_val": NUMBERS_VAL, "sample_weight_val": WEIGHTS[:5]},
            "sample_weight_val.*21 rows of X_val.* Got 5",
        ),
        (
            {"X_val": X_VAL, "y_val": NUMBERS_VAL, "sample_weight_val": np.zeros(21)},
            "sample_weight_val must have a positive value",
        ),
        (
            {"X_val": X_VAL, "y_val": NUMBERS_VAL, "sample_weight_val": -WEIGHTS[:21]},
            "sample_weight_val must not be negative",
        ),
    ],
)
def test_unusable_validation_rows(given, match):
    assert_fit_fails(small(KerasDenseRegressor), X, NUMBERS, match=match, **given)


@pytest.mark.parametrize(
    ("y", "y_val", "match"),
    [
        (CLASSES, CLASSES_VAL + 1, r"y_val must hold only classes.*\[0, 1, 2\].* Got \[3\]"),
        (CLASSES, CLASSES_VAL.astype(str), r"y_val must hold only classes.* Got \['0'"),
        (CLASSES, NUMBERS_VAL, "y_val must hold only classes"),
        (np.array(list("abc"))[CLASSES], ["a", None, "c"] * 7, "y_val"),
        (np.array(list("abc"), object)[CLASSES], ["a", "b", None] * 7, "y_val"),
        (CLASSES, LABELS[:21], r"y_val must hold one class for each row. Got shape \(21, 3\)"),
        (LABELS, LABELS[:21, :2], r"y_val must be an indicator.* 3 columns. Got shape \(21, 2\)"),
        (LABELS, CLASSES_VAL, r"y_val must be an indicator.* 3 columns. Got shape \(21,\)"),
        (LABELS, 2 * LABELS[:21], r"y_val must be an indicator.* with values \[0, 2\]"),
    ],
)
def test_unusable_validation_classes(y, y_val, match):
    network = small(KerasDenseClassifier)
    assert_fit_fails(network, X, y, match=match, X_val=X_VAL, y_val=y_val)


@both
@pytest.mark.parametrize(
    ("columns", "match"),
    [(list("abce"), "(?s)X_val.*- e"), (list("dcba"), "(?s)X_val.*same order")],
    ids=["another name", "another order"],
)
def test_other_names_in_x_val(kind, columns, match):
    frame, frame_val = pd.DataFrame(X, columns=list("abcd")), pd.DataFrame(X_VAL, columns=columns)
    data = (frame, TARGETS[kind])
    assert_fit_fails(small(kind), *data, match=match, X_val=frame_val, y_val=VALIDATION[kind])


SINGLES = np.maximum(0, np.arange(ROWS) - 59)


@pytest.mark.parametrize(
    ("parameters", "y", "match"),
    [
        ({"validation_fraction": 0.0}, CLASSES, "'validation_fraction' parameter"),
        ({"validation_fraction": 1.0}, CLASSES, "'validation_fraction' parameter"),
        ({"validation_fraction": np.nan}, CLASSES, "'validation_fraction' parameter"),
        ({"validation_fraction": 0.999}, CLASSES, r"leave rows to train on. Got 0.999 of 90 row"),
        ({"validation_fraction": 0.985}, CLASSES, "every one of 3 classes .* Got 1 row"),
        ({"validation_fraction": 0.8}, SINGLES, "every one of 31 classes .* Got 18 row"),
        ({"patience": 0}, CLASSES, "'patience' parameter"),
        ({"min_delta": -0.1}, CLASSES, "'min_delta' parameter"),
        ({"refit_full": True}, CLASSES, "refit_full=True needs early_stopping=True"),
        (
            {"refit_full": True, "validation_fraction": 0.2},
            CLASSES,
            "refit_full=True needs early_stopping=True",
        ),
        (
            {"refit_full": True, "warm_start": True, "early_stopping": True},
            CLASSES,
            r"warm_start=True from those of the last fit.*Set refit_full=False, or warm_start=F",
        ),
    ],
)
def test_unusable_validation_parameters(parameters, y, match):
    assert_fit_fails(small(KerasDenseClassifier, **parameters), X, y, match=match)


def test_fraction_of_a_regressor_that_leaves_nothing_to_train_on():
    network = small(KerasDenseRegressor, validation_fraction=0.999)
    assert_fit_fails(network, X, NUMBERS, match=r"leave rows to train on. Got 0.999 of 90 row")


def gives_a_dict(estimator, X, y):
    return {"accuracy": 1.0}


def gives_nan(estimator, X, y):
    return np.nan


@pytest.mark.parametrize(
    ("scoring", "match"),
    [
        ("neg_log_loss", "scoring must judge a KerasDenseRegressor.*'neg_log_loss'.*predict_proba"),
        ("roc_auc", "scoring must judge a KerasDenseRegressor.*'roc_auc'"),
        ("accuracy", "scoring must judge a KerasDenseRegressor.*'accuracy'"),
        ("acuracy", "(?s)scoring.*Got 'acuracy'"),
        (gives_a_dict, r"scoring must give one number. Got \{'accuracy': 1.0\} from .*a_dict"),
        (gives_nan, r"scoring must give a number.*NaN from .*gives_nan.*Set scoring='loss'"),
        (mean_absolute_error, "make_scorer"),
    ],
)
def test_unusable_scoring(scoring, match):
    network = small(KerasDenseRegressor, early_stopping=True, scoring=scoring)
    assert_fit_fails(network, X, NUMBERS, match=match)


def test_scorer_that_takes_no_weights_scores_without_and_one_warning_says_so():
    network = small(KerasDenseClassifier, early_stopping=True, scoring=seldom_wrong)
    with pytest.warns(UserWarning, match="takes no sample_weight, so the val.* alike") as caught:
        network.fit(X, CLASSES, WEIGHTS)
    assert len(caught) == 1
    held, best = network.validation_indices_, network.history_["val_score"]
    assert best[network.best_epoch_ - 1] == seldom_wrong(network, X[held], CLASSES[held])


def test_scorer_that_needs_every_class_says_what_to_do_where_one_is_missing():
    network = small(KerasDenseClassifier, early_stopping=True, scoring="roc_auc_ovr")
    y = np.where(np.arange(len(CLASSES)) < 2, CLASSES.max() + 1, CLASSES)
    held = y <= CLASSES.max()
    match = r"lack the classes \[.*\].\) Set scoring='loss', or pass X_val and y_val that hold"
    with pytest.raises(ValueError, match=match):
        network.fit(X, y, X_val=X[held], y_val=y[held])


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_an_infinite_validation_loss_in_every_epoch_is_an_error(engine):
    network = small(KerasDenseRegressor, early_stopping=True, engine=engine)
    network.set_params(standardize_target=False, dtype="float32")
    y_val = np.full(3, 1e30)
    with pytest.raises(ValueError, match=r"val_loss that is a number\. Got NaN or inf in"):
        network.fit(X, NUMBERS, X_val=X[:3], y_val=y_val)
    assert not hasattr(network, "history_")


@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error"])
def test_a_diverged_training_is_not_blamed_on_the_scorer(scoring, engine):
    network = small(KerasDenseRegressor, early_stopping=True, scoring=scoring, engine=engine)
    network.set_params(optimizer="sgd", learning_rate=1e30)
    assert_fit_fails(network, X, NUMBERS, match="training loss must stay finite|val_score that is")


# The rate that wrecks a training, from the fifth epoch of those 72 rows on.
EXPLODES = keras.optimizers.schedules.PiecewiseConstantDecay([19], [0.05, 1e30])
SOON_WRECKED = {"optimizer": "sgd", "learning_rate": EXPLODES, "depth": 0, "dtype": "float32"}
WRECKED = (
    r"must stay finite. Got .* in epoch \d+ with learning_rate=PiecewiseConstantDecay, by then"
)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
@pytest.mark.parametrize("changes", [{}, {"scoring": "r2"}, {"verbose": 1}], ids=str)
@pytest.mark.parametrize("epochs", [5, 20])
def test_a_training_that_diverges_keeps_its_best_epoch(epochs, changes, engine, capsys):
    network = small(KerasDenseRegressor, early_stopping=True, validation_fraction=0.2)
    network.set_params(engine=engine, **SOON_WRECKED, **changes)
    until_then = clone(network).set_params(epochs=4).fit(X, NUMBERS)
    network.set_params(epochs=epochs)
    with pytest.warns(UserWarning, match=rf"{WRECKED} 1e\+30\. .* keeps the weights of epoch"):
        network.fit(X, NUMBERS)
    assert network.best_epoch_ == until_then.best_epoch_
    assert_same_weights(network, until_then)
    assert network.n_iter_ in (4, 5)
    assert np.isfinite(network.history_["loss"]).all()
    assert np.isfinite(network.predict(X)).all()


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_after_a_divergence_training_goes_on_from_the_best_epoch(engine):
    network = small(KerasDenseRegressor, early_stopping=True, validation_fraction=0.2)
    network.set_params(engine=engine, epochs=10, warm_start=True, **SOON_WRECKED)
    with pytest.warns(UserWarning, match=WRECKED):
        network.fit(X, NUMBERS)
    best = network.score(X, NUMBERS)
    network.set_params(learning_rate=0.01).fit(X, NUMBERS)
    assert network.score(X, NUMBERS) > best - 0.1


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_without_early_stopping_a_divergence_is_an_error(engine):
    network = small(KerasDenseRegressor, validation_fraction=0.2, engine=engine)
    network.set_params(epochs=20, **SOON_WRECKED)
    assert_fit_fails(network, X, NUMBERS, match=rf"{WRECKED} 1e\+30\. ")


class WreckThird(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 1e30 if epoch == 2 else 0.01


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_the_error_of_a_divergence_names_the_rate_that_a_callback_set(engine):
    network = small(KerasDenseRegressor, engine=engine, epochs=20, callbacks=WreckThird())
    network.set_params(optimizer="sgd", learning_rate=0.05, depth=0, dtype="float32")
    match = r"in epoch 3 with learning_rate=0\.05, by then 1e\+30\."
    assert_fit_fails(network, X, NUMBERS, match=match)


def test_a_score_of_nan_without_early_stopping_is_recorded():
    network = small(KerasDenseRegressor, validation_fraction=0.2, scoring=gives_nan)
    network.fit(X, NUMBERS)
    assert_array_equal(network.history_["val_score"], [np.nan, np.nan])
    assert network.best_epoch_ == network.n_iter_


def mean_error(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred))


@pytest.mark.parametrize(
    "metric",
    ["AUC", "Precision", "F1Score", "acuracy", keras.metrics.AUC, keras.metrics.AUC(), mean_error],
    ids=["AUC", "Precision", "F1Score", "unknown", "class", "instance", "one number a batch"],
)
def test_metrics_that_are_not_of_single_rows_point_to_scoring(metric):
    for metrics in (metric, ["accuracy", metric]):
        network = small(KerasDenseClassifier, metrics=metrics)
        assert_fit_fails(network, X, CLASSES, match="metrics must be.* Got .*scoring")


@pytest.mark.parametrize(
    ("kind", "y", "metrics", "match"),
    [
        (KerasDenseRegressor, NUMBERS, "accuracy", "numbers.* Got 'accuracy'"),
        (KerasDenseClassifier, CLASSES, "categorical_accuracy", "Got 'categorical_accuracy'"),
        (KerasDenseClassifier, CLASSES, "mae", "Got 'mae'.*3 output"),
        # Of one column, it would always be 1.
        (KerasDenseClassifier, TWO_CLASSES, "categorical_accuracy", "Got 'categorical_accuracy'"),
        (KerasDenseRegressor, NUMBERS, "categorical_accuracy", "Got 'categorical_accuracy'"),
        (KerasDenseRegressor, NUMBERS, ["mae", "mae"], r"different names.* Got \['mae', 'mae'\]"),
    ],
)
def test_metrics_that_do_not_fit_the_target(kind, y, metrics, match):
    assert_fit_fails(small(kind, metrics=metrics), X, y, match=f"metrics must be.*{match}")


def test_metric_without_a_name():
    network = small(KerasDenseRegressor, metrics=functools.partial(cubed_error))
    assert_fit_fails(network, X, NUMBERS, match="metrics must")


def score(y_true, y_pred):
    return cubed_error(y_true, y_pred)


def test_metric_does_not_hide_behind_the_watched_score():
    network = small(KerasDenseRegressor, metrics=score, scoring="r2", validation_fraction=0.2)
    assert_fit_fails(network, X, NUMBERS, match="metrics must be of different names.*score")


# --- inside of scikit-learn --------------------------------------------------------------


@pytest.fixture
def prepared(penguins, preprocessing):
    """Penguins as numbers, and their species; sorted by it."""
    table, species = penguins
    return preprocessing.fit_transform(table), species.to_numpy()


PENGUIN_NETWORK = {"units": 12, "depth": 1, "learning_rate": 0.01, "batch_size": 32}
PENGUIN_NETWORK |= {"epochs": 100, "random_state": 0, "early_stopping": True}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_species_of_the_sorted_penguins_is_trained_on(prepared, seed):
    numbers, species = prepared
    network = KerasDenseClassifier(**PENGUIN_NETWORK | {"random_state": seed})
    network.fit(numbers, species)
    held = network.validation_indices_
    assert set(np.delete(species, held)) == set(species[held]) == set(species)
    recalls = recall_score(species, network.predict(numbers), average=None)
    assert recalls.min() > 0.8


def test_last_fifth_of_the_sorted_penguins_leaves_a_species_untrained(prepared):
    numbers, species = prepared
    last = int(0.8 * len(species))
    assert set(species[:last]) == {"Adelie", "Gentoo"}
    network = KerasDenseClassifier(**PENGUIN_NETWORK)
    watched = {"X_val": numbers[last:], "y_val": species[last:]}
    data = (numbers[:last], species[:last])
    assert_fit_fails(network, *data, match=r"y_val must hold only.*Got \['Chinstrap'\]", **watched)


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, "weights"])
def test_x_val_reaches_the_network_transformed_by_a_pipeline(penguins, preprocessing, weights):
    table, species = penguins
    rows, held = (np.flatnonzero(np.arange(len(table)) % 5 == k) for k in (0, 1))
    watched = {"y_val": species.iloc[held]}
    if weights:
        watched["sample_weight_val"] = np.linspace(0, 3, len(held))
    with sklearn.config_context(enable_metadata_routing=True):
        network = KerasDenseClassifier(**PENGUIN_NETWORK)
        network.set_fit_request(X_val=True, y_val=True, sample_weight_val=bool(weights))
        pipeline = Pipeline(
            [("columns", preprocessing), ("network", network)], transform_input=["X_val"]
        )
        pipeline.fit(table.iloc[rows], species.iloc[rows], X_val=table.iloc[held], **watched)
    columns = clone(preprocessing).fit(table.iloc[rows])
    by_hand = KerasDenseClassifier(**PENGUIN_NETWORK).fit(
        columns.transform(table.iloc[rows]),
        species.iloc[rows],
        X_val=columns.transform(table.iloc[held]),
        **watched,
    )
    assert pipeline["network"].history_ == by_hand.history_
    assert_same_weights(pipeline["network"], by_hand)
    assert len(by_hand.history_["val_loss"]) > 5


def test_grid_search_over_estimators_that_stop_early():
    network = small(KerasDenseClassifier, scoring="accuracy", refit_full=True, **STOPPING)
    grid = {"learning_rate": [0.01, 0.05], "validation_fraction": [0.2, None]}
    search = GridSearchCV(network, grid, cv=StratifiedKFold(2)).fit(X, CLASSES)
    best = clone(network).set_params(**search.best_params_).fit(X, CLASSES)
    assert search.best_estimator_.history_ == best.history_
    assert_same_weights(search.best_estimator_, best)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@both
def test_clone_keeps_the_parameters_of_validation(kind):
    parameters = {"early_stopping": True, "validation_fraction": 0.3, "patience": 3}
    parameters |= {"scoring": "loss", "min_delta": 0.5, "refit_full": True, "metrics": ["mae"]}
    copied = clone(small(kind, **parameters).set_params(epochs=3)).get_params()
    assert copied == kind().get_params() | SMALL | parameters | {"epochs": 3}
