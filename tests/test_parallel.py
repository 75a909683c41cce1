"""Threads and processes: what they share, what they leave behind, what happens when one dies."""

import multiprocessing
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import skdense
from skdense import KerasDenseClassifier
from skdense._training import networks, program
from skdense._training.prefetching import one_ahead
from skdense._training.program import trace_count

X = np.random.default_rng(0).standard_normal((90, 4))
CLASSES = (X[:, 0] > 0).astype(int)
NETWORK = KerasDenseClassifier(units=6, depth=1, epochs=3, batch_size=16, random_state=0)

# A chunk has at most 1,024 steps, so that batches of one row take three for each epoch.
MANY_ROWS = np.random.default_rng(0).standard_normal((2_500, 3))
MANY_CLASSES = (MANY_ROWS[:, 0] > 0).astype(int)
MULTI_CHUNK = KerasDenseClassifier(units=3, depth=1, epochs=2, batch_size=1, random_state=0)


def fit_and_predict(estimator):
    return clone(estimator).fit(X, CLASSES).predict_proba(X)


@pytest.fixture
def no_programs():
    """Forget the programs of other tests."""
    skdense.clear_cache()


# --- threads that train ------------------------------------------------------------------


def test_threads_that_meet_at_a_new_architecture_trace_it_once(no_programs):
    barrier = threading.Barrier(4)

    def fit_together(seed):
        barrier.wait()
        return fit_and_predict(clone(NETWORK).set_params(random_state=seed))

    before = trace_count()
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(fit_together, range(4)))
    assert trace_count() == before + 1
    for seed, result in enumerate(together):
        alone = fit_and_predict(clone(NETWORK).set_params(random_state=seed))
        np.testing.assert_array_equal(result, alone)


@pytest.mark.slow
def test_search_in_threads_traces_each_architecture_once(no_programs):
    grid = {"units": [4, 6], "learning_rate": [0.01, 0.1], "random_state": [0, 1]}
    search = GridSearchCV(NETWORK, grid, cv=3, scoring="neg_log_loss", refit=False)
    before = trace_count()
    with parallel_config(backend="threading", n_jobs=2):
        search.fit(X, CLASSES)
    assert trace_count() == before + 2
    alone = clone(search).fit(X, CLASSES)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


@pytest.mark.slow
def test_programs_may_be_forgotten_while_threads_train():
    small = [clone(NETWORK).set_params(units=units) for units in (3, 4)]
    expected = [fit_and_predict(network) for network in small]
    ended = threading.Event()

    def forget():
        while not ended.wait(0.01):
            skdense.clear_cache()

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    try:
        with ThreadPoolExecutor(3) as threads:
            results = list(threads.map(fit_and_predict, small * 4))
    finally:
        ended.set()
        forgetting.join()
    for result, alone in zip(results, expected * 4, strict=True):
        np.testing.assert_array_equal(result, alone)


@pytest.mark.slow
def test_more_architectures_than_are_kept_are_traced_again_with_the_same_bits(monkeypatch):
    monkeypatch.setattr(program, "_cached_program", lru_cache(maxsize=2)(program.Program))
    architectures = [clone(NETWORK).set_params(units=units) for units in (3, 7, 12)]
    before = trace_count()
    first = [fit_and_predict(network) for network in architectures]
    again = [fit_and_predict(network) for network in architectures]
    assert trace_count() == before + 6
    np.testing.assert_array_equal(first, again)
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(fit_and_predict, architectures * 2))
    np.testing.assert_array_equal(together, first * 2)


# --- a fit while others predict ----------------------------------------------------------


WORDS = np.array(["no", "yes"])[CLASSES]


class Asking(keras.callbacks.Callback):
    """Asks the estimator that is being fitted anew, as another thread might."""

    def __init__(self, ask):
        super().__init__()
        self.answers, self._ask = [], ask

    def on_epoch_end(self, epoch, logs=None):
        self.answers.append(self._ask())


def views(network, rows):
    probabilities = network.predict_proba(rows).tolist()
    return network.predict(rows).tolist(), probabilities, network.n_iter_, len(network.coefs_)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_while_a_fit_is_under_way_the_estimator_is_as_before(engine, method):
    network = clone(NETWORK).fit(X, CLASSES)
    before = views(network, X)
    asking = Asking(lambda: views(network, X))
    network.set_params(callbacks=asking, engine=engine)
    if method == "fit":
        network.set_params(depth=2).fit(X[:, :2], WORDS)
        assert network.classes_.tolist() == ["no", "yes"]
        assert len(network.coefs_) == 3
    else:
        network.partial_fit(X, CLASSES)
        assert network.n_iter_ == before[2] + 1
    assert asking.answers == [before] * len(asking.answers)
    assert asking.answers


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_a_prediction_during_which_a_fit_ends_is_the_one_from_before(method, monkeypatch):
    network = clone(NETWORK).fit(X, CLASSES)
    before = getattr(network, method)(X)
    forward = skdense._problem.answers.forward

    def fitted_anew_meanwhile(*arguments, **keywords):
        network.set_params(units=7).fit(X[:, :2], WORDS)
        return forward(*arguments, **keywords)

    monkeypatch.setattr("skdense._problem.answers.forward", fitted_anew_meanwhile)
    assert_array_equal(getattr(network, method)(X), before)
    assert network.n_features_in_ == 2


def test_what_is_set_during_a_fit_stays():
    network = clone(NETWORK).set_params(epochs=1)
    notes = {"note": "mine", "verbose": 0, "learning_rate": 0.5}
    asking = Asking(lambda: vars(network).update(notes))
    network.set_params(callbacks=asking).fit(X, CLASSES)
    assert notes.items() <= vars(network).items()
    assert network.n_iter_ == 1


# --- threads that are left ---------------------------------------------------------------


def system_threads():
    """Count all threads, those of libraries too, where the system tells."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.is_dir() else 0


def test_fits_of_several_chunks_leave_no_threads():
    for _ in range(3):
        clone(MULTI_CHUNK).fit(MANY_ROWS, MANY_CLASSES)
    before = threading.active_count(), system_threads()
    for _ in range(20):
        clone(MULTI_CHUNK).fit(MANY_ROWS, MANY_CLASSES)
    assert threading.active_count() == before[0]
    assert system_threads() < before[1] + 10  # the system may not have ended the last one yet


def prefetching_threads():
    return [t for t in threading.enumerate() if t.name.startswith("skdense-prefetching")]


@pytest.fixture(params=["while_gathering", "while_training"])
def interrupted(request, monkeypatch):
    """Let Ctrl-C come in the second chunk; yields the threads that prefetched by then."""
    owner, name = {
        "while_gathering": (networks, "gather"),
        "while_training": (networks.Networks, "_tensors"),
    }[request.param]
    function, seen = getattr(owner, name), []

    def interrupting(*arguments):
        seen.append(prefetching_threads())
        if len(seen) == 2:
            raise KeyboardInterrupt
        return function(*arguments)

    monkeypatch.setattr(owner, name, interrupting)
    return seen


def test_an_interrupted_fit_of_several_chunks_leaves_no_threads(interrupted):
    with pytest.raises(KeyboardInterrupt) as held:  # and with it the frames that it passed
        clone(MULTI_CHUNK).fit(MANY_ROWS, MANY_CLASSES)
    assert held.tb is not None
    assert [len(threads) for threads in interrupted[:2]] == [1, 1]
    assert not prefetching_threads()


# --- one ahead ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_items", [0, 1, 2, 7])
def test_results_come_in_order(n_items):
    assert list(one_ahead(lambda item: item**2, range(n_items))) == [i**2 for i in range(n_items)]
    assert not prefetching_threads()


def test_the_next_result_is_computed_while_the_caller_has_one():
    computed = [threading.Event() for _ in range(3)]

    def compute(number):
        computed[number].set()
        return number

    results = one_ahead(compute, range(3))
    assert next(results) == 0
    assert computed[1].wait(timeout=30)
    assert next(results) == 1
    assert list(results) == [2]


def test_at_most_two_results_are_alive():
    class Result:
        pass

    n_items, alive, when_computed, when_asked = 5, weakref.WeakSet(), [], []
    computed = [threading.Event() for _ in range(n_items)]

    def compute(number):
        result = Result()
        alive.add(result)
        when_computed.append(len(alive))
        computed[number].set()
        return result

    for number, result in enumerate(one_ahead(compute, range(n_items))):
        assert computed[min(number + 1, n_items - 1)].wait(timeout=30)
        when_asked.append(len(alive))
        del result
    assert when_computed == [1, 2, 2, 2, 2]
    assert when_asked == [2, 2, 2, 2, 1]
    assert not alive


@pytest.mark.parametrize("failing", [0, 2, 4])
def test_errors_come_where_the_result_would_have(failing):
    def compute(number):
        if number == failing:
            raise ZeroDivisionError
        return number

    results = one_ahead(compute, range(5))
    assert list(islice(results, failing)) == list(range(failing))
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not prefetching_threads()


def test_the_thread_ends_with_a_caller_who_stops_asking():
    results = one_ahead(lambda item: item, range(5))
    assert next(results) == 0
    assert prefetching_threads()
    results.close()
    assert not prefetching_threads()


# --- processes ---------------------------------------------------------------------------


def run(code):
    """Run code in a fresh process, which is killed if it hangs; returns its last line."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_spawned_processes_train_to_the_same_bits():
    expected = fit_and_predict(NETWORK)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        fitted = pool.starmap(NETWORK.fit, [(X, CLASSES)] * 3)
    for network in fitted:
        np.testing.assert_array_equal(network.predict_proba(X), expected)


@pytest.mark.slow
def test_a_worker_killed_in_a_search_is_an_error_and_the_next_search_works():
    code = """
import os, signal
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skdense import KerasDenseClassifier

X = np.random.default_rng(0).standard_normal((60, 3))
y = (X[:, 0] > 0).astype(int)
parent = os.getpid()

def kill_worker(estimator, X, y):
    if os.getpid() != parent and estimator.random_state == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return estimator.score(X, y)

network = KerasDenseClassifier(units=4, depth=1, epochs=2)
search = GridSearchCV(network, {"random_state": [0, 1]}, cv=2, n_jobs=2, refit=False)
try:
    clone(search).set_params(scoring=kill_worker).fit(X, y)
except TerminatedWorkerError:
    print(search.fit(X, y).cv_results_["mean_test_score"].min() > 0)
"""
    assert run(code) == "True"
