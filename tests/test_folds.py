"""Folds as members: each network holds out its own rows, and all rows are trained on."""

import numpy as np
import pandas as pd
import polars
import pytest
import scipy.sparse
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    d2_pinball_score,
    log_loss,
    make_scorer,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.forward import forward
from skdense._problem.folds import hold_out_folds, hold_out_groups, number_folds, read_groups
from skdense._problem.labels import Labels
from skdense._problem.rows import Rows
from skdense._training.program import trace_count

RNG = np.random.default_rng(0)
X = RNG.standard_normal((101, 4))
NUMBERS = np.tanh(X @ [1.0, -1.0, 0.5, 0.2]) + 0.2 * RNG.standard_normal(101)
LETTERS = np.array(list("abc"))[np.digitize(NUMBERS, [-0.4, 0.4])]
LABELS = np.c_[NUMBERS > 0, X[:, 1] > 0].astype(int)
SETTINGS = {
    "units": 6,
    "epochs": 12,
    "batch_size": 16,
    "learning_rate": 0.03,
    "random_state": 0,
    "n_estimators": 5,
    "validation_fraction": "folds",
}
SETTINGS |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before


def classifier(**changes):
    return KerasDenseClassifier(**SETTINGS | changes)


def regressor(**changes):
    return KerasDenseRegressor(**SETTINGS | changes)


def out_of_fold(network, rows=X, *, activate=True):
    """Return what each network says of the rows that it held out."""
    fitted, folds = network._fitted, network.validation_folds_
    outputs = np.full((len(rows), fitted.network.n_outputs), np.nan)
    for number, own in enumerate(fitted.members):
        held = folds == number
        outputs[held] = forward(fitted.network, own, rows[held], activate=activate)
    return outputs


def test_every_row_is_held_out_once_and_classes_are_in_proportion():
    folds = classifier(epochs=1).fit(X, LETTERS).validation_folds_
    assert folds.shape == (101,)
    assert sorted(np.bincount(folds)) == [20, 20, 20, 20, 21]
    for letter in "abc":
        counts = np.bincount(folds[letter == LETTERS], minlength=5)
        assert counts.max() - counts.min() <= 1
    other = classifier(epochs=1, random_state=1).fit(X, LETTERS).validation_folds_
    assert (folds != other).any()


@pytest.mark.parametrize("watched", [{}, {"early_stopping": True, "patience": 2}])
def test_the_watched_loss_is_out_of_fold(watched):
    network = classifier(**watched).fit(X, LETTERS)
    epoch = network.best_epoch_ if watched else network.n_iter_
    loss = network.history_["val_loss"][epoch - 1]
    assert_allclose(log_loss(LETTERS, out_of_fold(network)), loss, rtol=1e-5)
    numbers = regressor(standardize_target=False, **watched).fit(X, NUMBERS)
    epoch = numbers.best_epoch_ if watched else numbers.n_iter_
    loss = numbers.history_["val_loss"][epoch - 1]
    assert_allclose(mean_squared_error(NUMBERS, out_of_fold(numbers)), loss, rtol=1e-5)


def best_score(network):
    scores = network.history_["val_score"]
    assert scores[network.best_epoch_ - 1] == max(scores)
    return max(scores)


def test_a_scorer_judges_out_of_fold():
    network = classifier(early_stopping=True, scoring="accuracy").fit(X, LETTERS)
    chosen = network.classes_[out_of_fold(network).argmax(axis=1)]
    assert_allclose(accuracy_score(LETTERS, chosen), best_score(network), rtol=1e-9)


def test_a_scorer_judges_the_rows_of_all_folds_together():
    rare = np.where(np.arange(101) % 34 == 0, "rare", "usual")  # three rows, of five folds
    weights = 1.0 + np.arange(101) % 3
    network = classifier(early_stopping=True, scoring="roc_auc")
    network.fit(X, rare, sample_weight=weights)
    assert len(set(network.validation_folds_[rare == "rare"])) == 3
    area = roc_auc_score(rare == "usual", network.oof_prediction_[:, 1], sample_weight=weights)
    assert_allclose(best_score(network), area, rtol=1e-9)


def negative_error(y, predicted):
    return -root_mean_squared_error(y, predicted)


def half_of_rows(estimator, rows, y):
    """Score a half of the rows, each by the network of its fold, which a last column numbers."""
    assert rows.shape == (101, 5)
    assert_array_equal(np.unique(rows[:, -1]), np.arange(5))
    return r2_score(y[::2], estimator.predict(rows[::2]))


@pytest.mark.parametrize(
    ("scoring", "metric", "changes"),
    [
        ("r2", r2_score, {}),
        (None, r2_score, {"dtype": "float64"}),
        (make_scorer(d2_pinball_score), d2_pinball_score, {"quantiles": (0.1, 0.5, 0.9)}),
        pytest.param(
            "neg_root_mean_squared_error",
            negative_error,
            {"engine": "keras", "epochs": 2},
            marks=pytest.mark.slow,
        ),
        (half_of_rows, r2_score, {}),
    ],
    ids=["by name", "score", "quantiles", "keras", "callable"],
)
def test_a_scorer_of_numbers_judges_the_rows_of_all_folds_together(scoring, metric, changes):
    network = regressor(early_stopping=True, scoring=scoring, **changes).fit(X, 10 + NUMBERS)
    predicted = network.oof_prediction_
    predicted = predicted if predicted.ndim == 1 else predicted[:, 1]
    rows = np.argsort(network.validation_folds_, kind="stable")
    rows = rows[::2] if scoring is half_of_rows else rows
    expected = metric(10 + NUMBERS[rows], predicted[rows])
    assert_allclose(best_score(network), expected, rtol=1e-6)


def test_a_scorer_of_labels_and_of_sparse_rows():
    network = classifier(early_stopping=True, scoring="average_precision")
    network.fit(scipy.sparse.csr_array(X), LABELS)
    expected = average_precision_score(LABELS, network.oof_prediction_)
    assert_allclose(best_score(network), expected, rtol=1e-6)


@pytest.mark.slow
def test_both_engines_agree():
    settings = {"dtype": "float64", "early_stopping": True, "patience": 2, "n_estimators": 3}
    compiled = regressor(**settings).fit(X, NUMBERS)
    by_keras = regressor(engine="keras", **settings).fit(X, NUMBERS)
    assert compiled.best_epoch_ == by_keras.best_epoch_
    assert_allclose(compiled.predict(X), by_keras.predict(X), rtol=1e-7, atol=1e-9)


def test_one_program_for_all_folds():
    classifier().fit(X, LETTERS)
    before = trace_count()
    classifier(random_state=3).fit(X[:95], LETTERS[:95])
    assert trace_count() == before


@pytest.mark.parametrize("n_rows", [80, 81, 82, 84, 85, 97])
def test_networks_take_as_many_steps_whatever_remains(n_rows):
    network = regressor(batch_size=16, epochs=2).fit(X[:n_rows], NUMBERS[:n_rows])
    sizes = np.bincount(network.validation_folds_)
    assert sizes.sum() == n_rows
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("estimator", [classifier(), regressor()])
def test_groups_stay_together(estimator):
    groups = np.repeat(np.arange(17), 6)[:101]
    y = LETTERS if isinstance(estimator, KerasDenseClassifier) else NUMBERS
    folds = estimator.fit(X, y, groups=groups).validation_folds_
    for group in range(17):
        assert len(set(folds[groups == group])) == 1
    assert set(folds) == set(range(5))


GROUPS = np.arange(300) // 6  # of one class or one combination of labels each
CODES = (GROUPS % 5 == 0).astype(int) + (GROUPS % 10 == 0)
STRATA = {
    "classes": (CODES, Labels(np.arange(3), is_multilabel=False)),
    "labels": (np.eye(3, dtype=int)[CODES], Labels(np.arange(3), is_multilabel=True)),
}


def deal(y, labels, groups, n_folds=5, seed=0):
    rows = Rows(np.zeros((len(y), 1)), y, None, np.arange(len(y)))
    folds = hold_out_folds(rows, n_folds, np.random.default_rng(seed), labels, groups)
    return number_folds(folds, len(y))


@pytest.mark.parametrize(("y", "labels"), STRATA.values(), ids=STRATA)
def test_folds_keep_groups_and_classes(y, labels):
    folds = deal(y, labels, GROUPS)
    assert all(len(set(folds[groups == GROUPS])) == 1 for groups in set(GROUPS))
    assert_array_equal(np.bincount(folds), np.full(5, 60))
    for code in range(3):
        counts = np.bincount(folds[code == CODES], minlength=5)
        assert counts.max() - counts.min() <= 6, "more than one group"
    assert (deal(y, labels, GROUPS, seed=1) != folds).any()


def test_many_groups_are_dealt_out_at_once():
    rng = np.random.default_rng(0)
    groups = np.unique(rng.integers(6_000, size=30_000), return_inverse=True)[1]
    codes = (groups % 7 == 0).astype(int) + (groups % 400 == 0)
    folds = deal(codes, Labels(np.arange(3), is_multilabel=False), groups)
    assert len(np.unique(np.c_[groups, folds], axis=0)) == len(set(groups))
    for code in range(3):
        held = [len(np.unique(groups[(folds == fold) & (codes == code)])) for fold in range(5)]
        assert max(held) - min(held) <= 2
    assert np.ptp(np.bincount(folds)) < 300


def test_every_class_is_trained_on_in_each_fold_of_groups():
    codes = np.where(GROUPS == 7, 2, GROUPS % 2)
    labels = Labels(np.arange(3), is_multilabel=False)
    with pytest.warns(UserWarning, match=r"which too few groups have: \[2\]"):
        folds = deal(codes, labels, GROUPS)
    assert_array_equal(folds == -1, codes == 2)


def test_a_group_of_most_rows():
    groups = np.maximum(0, np.arange(100) - 80)
    rows = Rows(np.zeros((100, 1)), np.zeros(100), None, np.arange(100))
    folds = hold_out_folds(rows, 4, np.random.default_rng(0), None, groups)
    assert {len(used) for used, _ in folds} == {94}  # as many steps in an epoch
    assert sorted(len(held) for _, held in folds) == [6, 6, 7, 81]
    used, held = hold_out_groups(rows, np.random.default_rng(0), None, groups)
    assert len(used) + len(held) == 100
    assert len(held) < 20
    assert not set(groups[used.index]) & set(groups[held.index])


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        (
            np.where(np.arange(101) % 3, np.arange(101) % 7.0, np.nan),
            r"Got 34 .* such as nan\. Drop",
        ),
        (np.array(["a", "b", None] * 34, object)[:101], "Got 33 missing .* such as None"),
        (["a", np.nan] * 50 + ["b"], "Got 50 missing .* such as nan"),
        (pd.array([1, pd.NA] * 50 + [1], dtype="Int64"), "Got 50 missing"),
        (pd.Series(pd.Categorical(["a", "b", None] * 34))[:101], "Got 33 missing"),
        (np.array(["a", 1] * 50 + ["b"], object), "one kind, which compare. Got int, str"),
        (np.zeros((101, 2)), r"one value for each .*Got shape \(101, 2\)"),
    ],
)
def test_unusable_groups(groups, match):
    with pytest.raises(ValueError, match=f"^groups must .*{match}"):
        regressor().fit(X, NUMBERS, groups=groups)


def test_groups_of_any_container_are_the_same():
    names = np.array([f"g{number}" for number in range(17)])[np.arange(101) % 17]
    expected = deal(NUMBERS, None, read_groups(names, 101))
    for groups in (names.tolist(), pd.Series(names), pd.Categorical(names), polars.Series(names)):
        assert_array_equal(deal(NUMBERS, None, read_groups(groups, 101)), expected)


def test_one_network_holds_out_a_tenth():
    settings = {"n_estimators": 1, "early_stopping": True, "epochs": 1}
    network, groups = classifier(**settings).fit(X, LETTERS), np.arange(101) // 4
    counts = np.unique(LETTERS[network.validation_indices_], return_counts=True)[1]
    assert_array_equal(counts, np.round(np.unique(LETTERS, return_counts=True)[1] * 11 / 101))
    assert not hasattr(network, "validation_folds_")
    assert not hasattr(network, "oof_prediction_")
    held = network.fit(X, LETTERS, groups=groups).validation_indices_
    assert 6 <= len(held) <= 14
    assert not set(groups[held]) & set(np.delete(groups, held))


def test_rows_of_ones_own_take_the_place_of_folds():
    network = classifier(early_stopping=True, epochs=3, n_estimators=2)
    network.fit(X[:80], LETTERS[:80], X_val=X[80:], y_val=LETTERS[80:])
    for name in ("validation_folds_", "validation_indices_", "oof_prediction_"):
        assert not hasattr(network, name)
    loss = log_loss(LETTERS[80:], network.predict_proba(X[80:]))
    assert_allclose(loss, network.history_["val_loss"][network.best_epoch_ - 1], rtol=1e-5)
    shared = clone(network).set_params(validation_fraction=None)
    shared.fit(X[:80], LETTERS[:80], X_val=X[80:], y_val=LETTERS[80:])
    assert_array_equal(network.predict_proba(X), shared.predict_proba(X))


def test_groups_through_metadata_routing():
    groups = np.arange(101) // 4
    with sklearn.config_context(enable_metadata_routing=True):
        network = regressor().set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), network).fit(X, NUMBERS, groups=groups)
        scores = cross_val_score(pipeline, X, NUMBERS, params={"groups": groups}, cv=2)
    folds = pipeline[-1].validation_folds_
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert np.isfinite(scores).all()


def test_labels_weights_and_sparse_rows(tmp_path):
    labels = classifier().fit(X, LABELS)
    assert labels.predict(X).shape == (101, 2)
    weights = np.where(np.arange(101) % 10 == 0, 0.0, 1.0 + np.arange(101) % 3)
    weighted = classifier(class_weight="balanced").fit(X, LETTERS, sample_weight=weights)
    assert_array_equal(weighted.validation_folds_ == -1, weights == 0)
    sparse = classifier().fit(scipy.sparse.csr_array(X), LETTERS)
    assert_allclose(
        sparse.predict_proba(X), classifier().fit(X, LETTERS).predict_proba(X), atol=1e-5
    )
    weighted.save(tmp_path / "network.skdense")
    twin = skdense.load(tmp_path / "network.skdense")
    assert_array_equal(twin.validation_folds_, weighted.validation_folds_)
    assert_array_equal(twin.predict_proba(X), weighted.predict_proba(X))


def test_warm_start_goes_on_with_the_same_folds():
    network = regressor(warm_start=True, dtype="float64", epochs=4).fit(X, NUMBERS)
    folds = network.validation_folds_
    network.fit(X, NUMBERS)
    assert_array_equal(network.validation_folds_, folds)
    longer = regressor(dtype="float64", epochs=8).fit(X, NUMBERS)
    assert_allclose(network.predict(X), longer.predict(X), rtol=1e-9)


def test_a_class_of_one_row_is_in_no_fold():
    y = LETTERS.copy()
    y[7] = "z"
    with pytest.warns(UserWarning, match=r"The folds hold no row of these classes out.*'z'"):
        network = classifier().fit(X, y)
    assert network.validation_folds_[7] == -1
    assert (network.validation_folds_ == -1).sum() == 1


def test_folds_without_a_row_are_an_error():
    letters = np.array(list("abcdeff"))
    network = classifier(n_estimators=3)
    with (
        pytest.warns(UserWarning, match="single one"),
        pytest.raises(
            ValueError, match=r"n_estimators=3 and 2 rows besides .*Set n_estimators=2\."
        ),
    ):
        network.fit(X[:7], letters)


def test_classes_of_fewer_rows_than_folds_are_dealt_out():
    y = LETTERS.copy()
    y[:3] = "z"
    folds = classifier().fit(X, y).validation_folds_
    assert len(set(folds[:3])) == 3


@pytest.mark.parametrize(
    ("changes", "given", "match"),
    [
        ({"refit_full": True, "early_stopping": True}, {}, "nothing to refit_full=True"),
        ({}, {"X_val": X, "y_val": NUMBERS, "groups": np.arange(101)}, "Set groups=None"),
        ({"validation_fraction": 0.1}, {"groups": np.arange(101)}, "groups are for validation_fra"),
        ({}, {"groups": np.arange(7)}, r"one value for each of the 101 rows of X\. Got 7"),
        ({}, {"groups": np.arange(101) % 3}, r"n_estimators=5 and 3 groups\. Set n_estimators=3"),
        ({"n_estimators": 200}, {}, r"n_estimators=200 and 101 rows\. Set n_estimators=101"),
        ({"validation_fraction": "fold"}, {}, "'validation_fraction' parameter"),
    ],
)
def test_contradictions_are_errors(changes, given, match):
    with pytest.raises(ValueError, match=match):
        regressor(**changes).fit(X, NUMBERS, **given)


def test_streams_have_no_folds():
    with pytest.raises(ValueError, match="partial_fit sees one chunk"):
        regressor().partial_fit(X, NUMBERS)


def test_out_of_fold_predictions_are_kept(tmp_path):
    network = classifier().fit(X, LETTERS)
    expected = softmax(out_of_fold(network, activate=False), axis=1)
    assert_allclose(network.oof_prediction_, expected, rtol=1e-5)
    labels = classifier(epochs=2).fit(X, LABELS)
    assert_allclose(labels.oof_prediction_, out_of_fold(labels), rtol=1e-5)
    network.save(tmp_path / "network.skdense")
    twin = skdense.load(tmp_path / "network.skdense")
    assert_array_equal(twin.oof_prediction_, network.oof_prediction_)


def test_out_of_fold_numbers_are_in_their_own_units():
    weights = np.where(np.arange(101) % 10 == 0, 0.0, 1.0)
    network = regressor().fit(X, 100 * NUMBERS + 5000, weights)
    kept = weights > 0
    assert np.isnan(network.oof_prediction_[~kept]).all()
    target = network._fitted.target
    expected = out_of_fold(network)[:, 0] * target.scale + target.mean
    assert_allclose(network.oof_prediction_[kept], expected[kept], rtol=1e-6)
    several = regressor(epochs=2).fit(X, np.c_[NUMBERS, -NUMBERS])
    assert several.oof_prediction_.shape == (101, 2)
    quantiles = regressor(epochs=2, quantiles=(0.1, 0.9)).fit(X, NUMBERS)
    assert quantiles.oof_prediction_.shape == (101, 2)
    held_out = regressor(validation_fraction=0.2, epochs=1).fit(X, NUMBERS)
    assert not hasattr(held_out, "oof_prediction_")
