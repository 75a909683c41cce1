"""Folds as members: each network holds out its own rows, and all rows are trained on."""

import numpy as np
import pytest
import scipy.sparse
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.forward import forward
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


def test_a_scorer_judges_out_of_fold():
    network = classifier(early_stopping=True, scoring="accuracy").fit(X, LETTERS)
    chosen = network.classes_[out_of_fold(network).argmax(axis=1)]
    best = network.history_["val_score"][network.best_epoch_ - 1]
    assert_allclose(accuracy_score(LETTERS, chosen), best, rtol=1e-9)
    assert best == max(network.history_["val_score"])


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
        pytest.raises(ValueError, match=r"n_estimators=3 and 2 such rows\. Lower n_estimators"),
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
        ({"n_estimators": 1}, {}, r"several networks\. Got n_estimators=1"),
        ({"refit_full": True, "early_stopping": True}, {}, "nothing to refit_full=True"),
        ({}, {"X_val": X, "y_val": NUMBERS}, "holds rows of X out. Got X_val too"),
        ({"validation_fraction": 0.1}, {"groups": np.arange(101)}, "groups are for validation_fra"),
        ({}, {"groups": np.arange(7)}, r"one value for each of the 101 rows of X\. Got 7"),
        ({}, {"groups": np.arange(101) % 3}, "n_estimators=5 and 3 groups"),
        ({"n_estimators": 200}, {}, "n_estimators=200 and 101 rows. Lower n_estimators"),
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
    network = classifier(calibration="temperature").fit(X, LETTERS)
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
