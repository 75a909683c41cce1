"""Searches whose fits train together, by joblib's backend "skdense"."""

import threading
import warnings

import keras
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from scipy.stats import randint
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._searches import crowd
from skdense._training import fusing
from skdense._training.program import trace_count

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(int)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
SMALL = KerasDenseClassifier(units=6, depth=1, epochs=4, batch_size=30, random_state=0)
GRID = {"units": [5, 6, 12], "learning_rate": [0.003, 0.01], "activation": ["relu", "tanh"]}


def fused(**settings):
    return parallel_config(backend="skdense", **settings)


def in_both_ways(run):
    with fused():
        together = run()
    return run(), together


@pytest.fixture
def no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_a_search_finds_what_it_finds_without(n_jobs):
    def run():
        search = GridSearchCV(SMALL, GRID, cv=3, scoring="neg_log_loss", n_jobs=n_jobs)
        return search.fit(X, CLASSES)

    with fused():
        together = run()
    plain = GridSearchCV(SMALL, GRID, cv=3, scoring="neg_log_loss").fit(X, CLASSES)
    for name in ("split0_test_score", "split2_test_score", "mean_test_score"):
        np.testing.assert_allclose(together.cv_results_[name], plain.cv_results_[name], rtol=1e-4)
    assert together.best_params_ == plain.best_params_
    np.testing.assert_allclose(
        together.predict_proba(X), plain.predict_proba(X), rtol=1e-4, atol=1e-6
    )


def test_a_search_over_widths_compiles_few_programs():
    widths = {"units": randint(4, 60), "learning_rate": [0.003, 0.01]}
    search = RandomizedSearchCV(SMALL, widths, n_iter=12, cv=2, random_state=0, refit=False)
    before = trace_count()
    with fused():
        search.fit(X, Y)
    assert trace_count() - before <= 2


@pytest.fixture
def sizes(monkeypatch):
    """How many networks train together, each time that some do."""
    found = []

    def train(tasks):
        found.append(len(tasks))
        return train_now(tasks)

    train_now = fusing.train_now
    monkeypatch.setattr(fusing, "train_now", train)
    return found


def test_fits_of_one_program_train_as_members_of_one_batch(sizes):
    with fused():
        cross_val_score(SMALL, X, Y, cv=5)
    assert sizes == [8]  # the next of a few sizes


def test_enough_fits_begin_while_others_are_gathered(sizes, monkeypatch):
    monkeypatch.setattr(fusing, "_ENOUGH", 4)

    def run():
        return cross_val_score(SMALL, X, Y, cv=9, scoring="neg_log_loss")

    alone, together = in_both_ways(run)
    np.testing.assert_allclose(together, alone, rtol=1e-4)
    assert sorted(sizes) == [1, 4, 4]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping": True, "epochs": 20, "learning_rate": 0.05},
        {"early_stopping": True, "epochs": 6, "scoring": "accuracy"},
        {"early_stopping": True, "epochs": 8, "refit_full": True},
        {"n_estimators": 3, "dropout": 0.1},
        {"n_estimators": 3, "validation_fraction": "folds", "calibration": "temperature"},
        {"batch_normalization": True, "metrics": ["accuracy"]},
        {"class_weight": "balanced", "optimizer": "nadam", "weight_decay": 0.01},
        {"numeric_embedding": "piecewise_linear", "input_scaling": "robust"},
        {"warm_start": True},
        {"engine": "keras"},
    ],
    ids=str,
)
def test_every_kind_of_fit_trains_together_as_it_does_alone(changes):
    def run():
        network = SMALL.__class__(**SMALL.get_params() | changes)
        found = cross_validate(network, X, Y, cv=3, return_estimator=True, error_score="raise")
        return found["estimator"]

    for alone, together in zip(*in_both_ways(run), strict=True):
        assert together.best_epoch_ == alone.best_epoch_
        np.testing.assert_allclose(together.loss_curve_, alone.loss_curve_, rtol=1e-4)
        np.testing.assert_allclose(
            together.predict_proba(X), alone.predict_proba(X), rtol=1e-4, atol=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [OneVsRestClassifier, BaggingClassifier])
def test_fits_inside_of_fits_train_together(kind, no_thread_is_left):
    inner = SMALL
    settings = {} if kind is OneVsRestClassifier else {"n_estimators": 3, "random_state": 0}

    def run():
        return cross_val_score(
            make_pipeline(StandardScaler(), kind(inner, **settings)), X, CLASSES, cv=3
        )

    alone, together = in_both_ways(run)
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.slow
def test_regressors_and_curves():
    network = KerasDenseRegressor(units=6, depth=1, epochs=4, random_state=0)

    def run():
        return validation_curve(network, X, X[:, 0], param_name="l2", param_range=[0.0, 0.1], cv=2)

    for alone, together in zip(*in_both_ways(run), strict=True):
        np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_candidate_that_fails_fails_alone():
    rates = {"learning_rate": [0.01, 1e37, 0.003]}
    with fused(), pytest.warns(FitFailedWarning, match="\n2 fits failed"):
        search = GridSearchCV(SMALL, rates, cv=2).fit(X, Y)
    assert list(np.isnan(search.cv_results_["mean_test_score"])) == [False, True, False]


def test_its_error_is_raised_where_that_is_asked_for(no_thread_is_left):
    search = GridSearchCV(SMALL, {"units": [5, 0]}, cv=2, error_score="raise")
    with fused(), pytest.raises(ValueError, match="units"):
        search.fit(X, Y)


class Interrupted(ClassifierMixin, BaseEstimator):
    """Ends as with Ctrl-C at its second fit."""

    n_fits = 0

    def fit(self, X, y):
        SMALL.__class__(units=4, epochs=2).fit(X, y)
        type(self).n_fits += 1
        if self.n_fits == 2:
            raise KeyboardInterrupt
        return self


def test_ctrl_c_ends_all_calls(no_thread_is_left):
    with fused(), pytest.raises(KeyboardInterrupt):
        cross_val_score(Interrupted(), X, Y, cv=4, scoring=lambda *_: 0.0)


def test_ctrl_c_amid_the_training_ends_all_calls(no_thread_is_left, monkeypatch):
    def results(trainings):
        raise KeyboardInterrupt

    monkeypatch.setattr(fusing.FusedTrainings, "results", results)
    with fused(), pytest.raises(KeyboardInterrupt):
        cross_val_score(SMALL, X, Y, cv=4)
    monkeypatch.undo()
    with fused():
        assert len(cross_val_score(SMALL, X, Y, cv=4)) == 4


def test_callbacks_run_for_each_fit_alone():
    epochs = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    network = SMALL.__class__(**SMALL.get_params() | {"callbacks": [callback]})
    with fused():
        cross_val_score(network, X, Y, cv=2)
    assert epochs == [0, 1, 2, 3] * 2


def test_little_memory_makes_fewer_wait_for_each_other(monkeypatch):
    def run():
        return cross_val_score(SMALL, X, Y, cv=4)

    expected = run()
    most, sizes = crowd._MOST_BYTES_WAITING, []

    def train(own):
        sizes.append(len(own._waiting))
        return train_all(own)

    train_all = crowd.Crowd._train
    monkeypatch.setattr(crowd.Crowd, "_train", train)
    for limit in (1, most):
        monkeypatch.setattr(crowd, "_MOST_BYTES_WAITING", limit)
        with fused():
            np.testing.assert_allclose(run(), expected, atol=1e-6)
    assert sizes == [1, 1, 1, 1, 4]


def test_other_estimators_and_functions_run_as_usual(no_thread_is_left):
    with fused():
        scores = cross_val_score(LogisticRegression(), X, Y, cv=3)
        squares = Parallel()(delayed(pow)(number, 2) for number in range(600))
    np.testing.assert_array_equal(scores, cross_val_score(LogisticRegression(), X, Y, cv=3))
    assert squares == [number**2 for number in range(600)]


def test_number_of_jobs():
    with fused():
        assert Parallel(n_jobs=1)(delayed(abs)(n) for n in (-1, -2)) == [1, 2]
        with pytest.raises(ValueError, match="n_jobs must be a number other than 0"):
            Parallel(n_jobs=0)(delayed(abs)(n) for n in (-1, -2))


def test_fits_of_wide_rows_train_side_by_side_but_not_together(monkeypatch):
    train, counts = fusing.train_now, []

    def count(tasks):
        counts.append(len(tasks))
        return train(tasks)

    monkeypatch.setattr(fusing, "train_now", count)
    expected = cross_val_score(SMALL, X, Y, cv=3)
    for most, together in [(10**6, [4]), (1, [1, 1, 1])]:  # three are filled up to four
        counts.clear()
        monkeypatch.setattr(fusing, "_MOST_NUMBERS_OF_STEP", most)
        with fused():
            assert cross_val_score(SMALL, X, Y, cv=3) == pytest.approx(expected, abs=1e-5)
        assert counts == together


def test_scorers_of_early_stopping_see_the_configuration_of_their_call():
    seen = []

    def watch(estimator, X, y):
        seen.append(get_config()["assume_finite"] and np.geterr()["under"] == "call")
        np.float64(1e-300) * np.float64(1e-300)
        return 0.0

    network = SMALL.__class__(**SMALL.get_params() | {"early_stopping": True, "scoring": watch})
    called = []
    handling = np.errstate(under="call", call=lambda *error: called.append(error))
    with fused(), config_context(assume_finite=True), handling:
        cross_val_score(network, X, Y, cv=2)
    assert seen
    assert all(seen)
    assert len(called) >= len(seen)


class Warns(ClassifierMixin, BaseEstimator):
    """Catches its own warnings while it trains."""

    def fit(self, X, y):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("before", UserWarning, stacklevel=1)
            self.network_ = KerasDenseClassifier(units=4, epochs=1, random_state=0).fit(X, y)
            warnings.warn("after", UserWarning, stacklevel=1)
        self.caught_ = [str(warning.message) for warning in caught]
        return self


def test_each_call_catches_its_own_warnings():
    before = list(warnings.filters)
    with fused():
        found = cross_validate(Warns(), X, Y, cv=3, scoring=lambda *_: 0.0, return_estimator=True)
    assert [estimator.caught_ for estimator in found["estimator"]] == [["before", "after"]] * 3
    assert warnings.filters == before
