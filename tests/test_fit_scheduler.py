"""Searches whose fits train side by side, by joblib's backend "skdense"."""

import asyncio
import threading
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_score,
    cross_validate,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseClassifier, KerasDenseRegressor, KerasTabularRegressor
from skdense._searches import calls, scheduler

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] ** 2 > 1).astype(int)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
SMALL = KerasDenseClassifier(units=6, depth=1, epochs=4, batch_size=30, random_state=0)
GRID = {"units": [5, 6, 12], "learning_rate": [0.003, 0.01], "activation": ["relu", "tanh"]}


def side_by_side(**settings):
    return parallel_config(backend="skdense", **settings)


def in_both_ways(run):
    with side_by_side():
        together = run()
    return run(), together


def network(**changes):
    return KerasDenseClassifier(**SMALL.get_params() | changes)


@pytest.fixture
def no_thread_is_left():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.fixture
def trained(monkeypatch):
    """How many networks train in threads, for each fit."""
    counts = []

    def train(tasks, *arguments):
        counts.append(len(tasks))
        return train_tasks(tasks, *arguments)

    train_tasks = calls._train
    monkeypatch.setattr(calls, "_train", train)
    return counts


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_a_search_finds_what_it_finds_without(n_jobs, trained):
    def run():
        search = GridSearchCV(SMALL, GRID, cv=3, scoring="neg_log_loss", n_jobs=n_jobs)
        return search.fit(X, CLASSES)

    with side_by_side():
        together = run()
    assert trained == [1] * 36  # the best one's on all rows is none of joblib's calls
    plain = GridSearchCV(SMALL, GRID, cv=3, scoring="neg_log_loss").fit(X, CLASSES)
    for name in ("split0_test_score", "split2_test_score", "mean_test_score"):
        np.testing.assert_array_equal(together.cv_results_[name], plain.cv_results_[name])
    assert together.best_params_ == plain.best_params_
    np.testing.assert_array_equal(together.predict_proba(X), plain.predict_proba(X))


def weights_of(fitted):
    return [array for own in fitted._fitted.members for stage in own for array in stage.values()]


def assert_same_bits(one, other):
    assert one.best_epoch_ == other.best_epoch_
    assert one.history_ == other.history_
    for array, same in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(array, same)


CHANGES = [
    {"dropout": 0.3},
    {"batch_normalization": True, "metrics": ["accuracy"]},
    {"early_stopping": True, "epochs": 20, "learning_rate": 0.05},
    {"early_stopping": True, "epochs": 6, "scoring": "accuracy"},
    {"early_stopping": True, "epochs": 8, "refit_full": True},
    {"n_estimators": 3, "dropout": 0.1},
    {"n_estimators": 3, "validation_fraction": "folds", "calibration": "temperature"},
    {"class_weight": "balanced", "optimizer": "nadam", "weight_decay": 0.01, "clipnorm": 0.5},
    {"numeric_embedding": "piecewise_linear", "input_scaling": "robust", "l2": 0.01},
    {"numeric_embedding": "periodic", "learned_scale": True},
    {"warm_start": True},
    {"engine": "keras"},
]


@pytest.mark.parametrize(
    "changes",
    [*CHANGES[:2], *(pytest.param(own, marks=pytest.mark.slow) for own in CHANGES[2:])],
    ids=str,
)
def test_every_fit_has_the_bits_that_it_has_alone(changes):
    # Of 10 units, which other widths stood for once: masks of dropout depend on the width.
    def run():
        found = cross_validate(
            network(units=10, **changes), X, Y, cv=2, return_estimator=True, error_score="raise"
        )
        return found["estimator"]

    for alone, together in zip(*in_both_ways(run), strict=True):
        assert_same_bits(together, alone)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mean_squared_error", "pinball"])
def test_tables_and_quantiles_have_the_bits_that_they_have_alone(loss):
    table = pd.DataFrame(X, columns=list("abcdef")).assign(town=np.where(Y, "north", "south"))
    quantiles = {"quantiles": (0.1, 0.5, 0.9)} if loss == "pinball" else {}
    regressor = KerasTabularRegressor(
        units=8, depth=1, epochs=2, n_estimators=2, random_state=0, loss=loss, **quantiles
    )

    def run():
        return cross_validate(regressor, table, X[:, 0], cv=2, return_estimator=True)["estimator"]

    for alone, together in zip(*in_both_ways(run), strict=True):
        assert_same_bits(together, alone)


@pytest.mark.slow
def test_long_trainings_have_the_same_bits():
    def run():
        return cross_validate(network(epochs=500), X, Y, cv=2, return_estimator=True)["estimator"]

    for alone, together in zip(*in_both_ways(run), strict=True):
        assert_same_bits(together, alone)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [OneVsRestClassifier, BaggingClassifier])
def test_fits_inside_of_fits_train_side_by_side(kind, no_thread_is_left, trained):
    settings = {} if kind is OneVsRestClassifier else {"n_estimators": 3, "random_state": 0}

    def run():
        meta = make_pipeline(StandardScaler(), kind(network(dropout=0.2), **settings))
        return cross_validate(meta, X, CLASSES, cv=3, return_estimator=True)

    alone, together = in_both_ways(run)
    assert trained == [1] * 9
    np.testing.assert_array_equal(together["test_score"], alone["test_score"])
    for one, other in zip(together["estimator"], alone["estimator"], strict=True):
        for own, same in zip(one[-1].estimators_, other[-1].estimators_, strict=True):
            assert_same_bits(own, same)


@pytest.mark.slow
def test_regressors_and_curves():
    regressor = KerasDenseRegressor(units=6, depth=1, epochs=4, random_state=0)

    def run():
        return validation_curve(
            regressor, X, X[:, 0], param_name="l2", param_range=[0.0, 0.1], cv=2
        )

    for alone, together in zip(*in_both_ways(run), strict=True):
        np.testing.assert_array_equal(together, alone)


class Thrice(ClassifierMixin, BaseEstimator):
    """Trains several networks, one after the other and in calls of its own."""

    def fit(self, X, y):
        self.networks_ = [network(random_state=seed).fit(X, y) for seed in range(2)]
        self.networks_ += Parallel()(
            delayed(network(random_state=seed).fit)(X, y) for seed in range(2, 4)
        )
        self.networks_.append(network(random_state=4).fit(X, y))
        return self


def test_calls_that_train_several_times_have_the_same_bits(no_thread_is_left, trained):
    def run():
        return cross_validate(Thrice(), X, Y, cv=3, scoring=lambda *_: 0.0, return_estimator=True)[
            "estimator"
        ]

    alone, together = in_both_ways(run)
    assert trained == [1] * 15
    for one, other in zip(together, alone, strict=True):
        for own, same in zip(one.networks_, other.networks_, strict=True):
            assert_same_bits(own, same)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_candidate_that_fails_fails_alone():
    rates = {"learning_rate": [0.01, 1e37, 0.003]}
    with side_by_side(), pytest.warns(FitFailedWarning, match="\n2 fits failed"):
        search = GridSearchCV(SMALL, rates, cv=2).fit(X, Y)
    assert list(np.isnan(search.cv_results_["mean_test_score"])) == [False, True, False]


def test_its_error_is_raised_where_that_is_asked_for(no_thread_is_left):
    search = GridSearchCV(SMALL, {"units": [5, 0]}, cv=2, error_score="raise")
    with side_by_side(), pytest.raises(ValueError, match="units"):
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
    with side_by_side(), pytest.raises(KeyboardInterrupt):
        cross_val_score(Interrupted(), X, Y, cv=4, scoring=lambda *_: 0.0)


def test_ctrl_c_amid_the_training_ends_all_calls(no_thread_is_left, monkeypatch):
    def interrupted(futures):
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(calls, "wait", interrupted)
    filters = list(warnings.filters)
    with side_by_side(), pytest.raises(KeyboardInterrupt):
        cross_val_score(Thrice(), X, Y, cv=3, scoring=lambda *_: 0.0)
    assert warnings.filters == filters
    with side_by_side():
        assert len(cross_val_score(SMALL, X, Y, cv=4)) == 4


@pytest.mark.parametrize("scoring", [None, lambda *_: 0.0])
def test_callbacks_and_scorers_run_in_the_thread_of_their_call(scoring, trained):
    threads, epochs = [], []

    def note(epoch, logs):
        epochs.append(epoch)
        threads.append(threading.current_thread())

    def fit(seed):
        callback = keras.callbacks.LambdaCallback(on_epoch_end=note)
        scored = {"early_stopping": True, "scoring": scoring} if scoring else {}
        network(callbacks=[callback], random_state=seed, **scored).fit(X, Y)
        return threading.current_thread()

    with side_by_side():
        found = Parallel()(delayed(fit)(seed) for seed in range(2))
    assert epochs == [0, 1, 2, 3] * 2
    assert threads == [found[0]] * 4 + [found[1]] * 4
    assert not trained


def test_little_memory_makes_fewer_wait_for_each_other(monkeypatch):
    def run():
        return cross_val_score(SMALL, X, Y, cv=4)

    expected = run()
    most, sizes = scheduler._MOST_BYTES_WAITING, []

    def train(own):
        sizes.append(len(own._stack))
        return train_all(own)

    train_all = scheduler.FitScheduler._train
    monkeypatch.setattr(scheduler.FitScheduler, "_train", train)
    for limit in (1, most):
        monkeypatch.setattr(scheduler, "_MOST_BYTES_WAITING", limit)
        with side_by_side():
            np.testing.assert_array_equal(run(), expected)
    assert sizes == [1, 1, 1, 1, 4]


def test_other_estimators_and_functions_run_as_usual(no_thread_is_left):
    with side_by_side():
        scores = cross_val_score(LogisticRegression(), X, Y, cv=3)
        squares = Parallel()(delayed(pow)(number, 2) for number in range(600))
    np.testing.assert_array_equal(scores, cross_val_score(LogisticRegression(), X, Y, cv=3))
    assert squares == [number**2 for number in range(600)]


def test_number_of_jobs():
    with side_by_side():
        assert Parallel(n_jobs=1)(delayed(abs)(n) for n in (-1, -2)) == [1, 2]
        with pytest.raises(ValueError, match="n_jobs must be a number other than 0"):
            Parallel(n_jobs=0)(delayed(abs)(n) for n in (-1, -2))


def test_programs_that_differ_compile_first():
    compiled = [scheduler.Call(None, None, None) for _ in range(5)]
    for call, program in zip(compiled, "aabab", strict=True):
        call.program = program
    order = scheduler._programs_first(compiled)
    assert [compiled.index(call) for call in order] == [0, 2, 1, 3, 4]


def test_scorers_of_early_stopping_see_the_configuration_of_their_call():
    seen = []

    def watch(estimator, X, y):
        seen.append(get_config()["assume_finite"] and np.geterr()["under"] == "call")
        np.float64(1e-300) * np.float64(1e-300)
        return 0.0

    watched = network(early_stopping=True, scoring=watch)
    called = []
    handling = np.errstate(under="call", call=lambda *error: called.append(error))
    with side_by_side(), config_context(assume_finite=True), handling:
        cross_val_score(watched, X, Y, cv=2)
    assert seen
    assert all(seen)
    assert len(called) >= len(seen)


# --- threads that calls start ------------------------------------------------------------


async def fit_in_threads(seeds):
    fits = [asyncio.to_thread(network(random_state=seed).fit, X, Y) for seed in seeds]
    return await asyncio.gather(*fits)


def fit_in_thread(seeds):
    fitted = [network(random_state=seed) for seed in seeds]
    threads = [threading.Thread(target=own.fit, args=(X, Y)) for own in fitted]
    for thread in threads:
        thread.start()
    here = network(random_state=9).fit(X, Y)  # while those train
    for thread in threads:
        thread.join()
    return [*fitted, here]


def search_in_thread(seeds):
    """Return what a search in another thread finds, by the backend named there."""

    def search():
        with side_by_side():
            return cross_validate(
                network(random_state=seeds[0]), X, Y, cv=2, return_estimator=True
            )["estimator"]

    return asyncio.run(asyncio.to_thread(search))


@pytest.mark.parametrize(
    "function",
    [lambda seeds: asyncio.run(fit_in_threads(seeds)), fit_in_thread, search_in_thread],
    ids=["asyncio", "threading", "search"],
)
def test_threads_that_a_call_starts_train_as_without_it(function, no_thread_is_left):
    def run():
        return Parallel()(delayed(function)(seeds) for seeds in ([0, 1], [2, 3]))

    for alone, together in zip(*in_both_ways(run), strict=True):
        for one, other in zip(together, alone, strict=True):
            assert_same_bits(one, other)


def test_calls_of_a_parallel_that_another_thread_made_are_refused():
    def call_elsewhere():
        parallel = Parallel()
        with pytest.raises(RuntimeError, match="must be read in the thread that"):
            asyncio.run(asyncio.to_thread(parallel, (delayed(abs)(n) for n in (-1, -2))))

    with side_by_side():
        Parallel()(delayed(call_elsewhere)() for _ in range(2))


# --- warnings ----------------------------------------------------------------------------


class Warns(ClassifierMixin, BaseEstimator):
    """Catches its own warnings while it trains, some times."""

    def fit(self, X, y):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("before", UserWarning, stacklevel=1)
            for seed in range(2):
                KerasDenseClassifier(units=4, epochs=1, random_state=seed).fit(X, y)
                warnings.warn(f"after {seed}", UserWarning, stacklevel=1)
        self.caught_ = [str(warning.message) for warning in caught]
        return self


def test_each_call_catches_its_own_warnings():
    filters, before = list(warnings.filters), dict(vars(warnings))
    with side_by_side():
        found = cross_validate(Warns(), X, Y, cv=3, scoring=lambda *_: 0.0, return_estimator=True)
    for estimator in found["estimator"]:
        assert estimator.caught_ == ["before", "after 0", "after 1"]
    assert warnings.filters == filters
    assert warnings.filters is before["filters"]
    assert warnings.showwarning is before["showwarning"]


# One that diverges after its best epoch, of which early stopping warns amid the training.
LATE = {"optimizer": "sgd", "learning_rate": 1.5, "learning_rate_schedule": None}
LATE |= {"early_stopping": True, "epochs": 10}


def test_a_candidate_s_warnings_reach_the_caller_under_the_caller_s_filters():
    regressor = KerasDenseRegressor(units=6, depth=1, random_state=0, **LATE)

    def run():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of overflow
            warnings.simplefilter("always", UserWarning)
            cross_validate(regressor, X, X[:, 0], cv=2, error_score="raise")
        return [(str(own.message), own.category, own.filename) for own in caught]

    alone, together = in_both_ways(run)
    assert "Early stopping keeps the weights of epoch" in alone[0][0]
    assert sorted(together) == sorted(alone)
    with side_by_side(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(UserWarning, match="Early stopping keeps"):
            cross_validate(regressor, X, X[:, 0], cv=2, error_score="raise")
