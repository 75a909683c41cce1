"""Searches by the workers of a cluster, of Dask and of Ray: two processes of this machine."""

import logging
import os
import re
import secrets
import signal
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, NamedTuple
from unittest import mock

import psutil
import pytest
from distributed import CancelledError, Client, KilledWorker, LocalCluster
from joblib import parallel_config
from joblib.externals import loky
from joblib.pool import PicklingPool
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline

from skdense import KerasDenseClassifier

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
TIMEOUT = 300  # seconds, of which a few are needed


class Cluster(NamedTuple):
    """What joblib has to be told to use a cluster, and what comes of a worker's death."""

    config: dict[str, Any]
    repeating: Callable[..., dict[str, Any]]  # the same, to do again elsewhere what was lost
    errors: tuple[type[Exception], ...]
    recover: Callable[[], None]


@contextmanager
def dask_cluster(folder):
    # The port: 8787 may be taken, of which Dask warns.
    options = {"dashboard_address": "127.0.0.1:0", "local_directory": folder}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster,
        Client(cluster) as client,
    ):
        # It would drop copies of the data, down to one, which dies with its worker.
        client.amm.stop()
        yield Cluster(
            config={"backend": "dask"},
            repeating=lambda *data: {"backend": "dask", "scatter": data},
            errors=(CancelledError, KilledWorker),
            # A search that hands data to a worker just dying would wait for ever.
            recover=client.restart,
        )
    assert not list(Path(folder).glob("*/*/"))


@contextmanager
def ray_cluster(folder):
    # Read when Ray is imported. Ray would write a token of its own to the home directory, and its
    # workers, at a low priority, would wait for all other tests.
    own = {"RAY_AUTH_TOKEN": secrets.token_hex(16), "RAY_worker_niceness": "0"}
    with mock.patch.dict(os.environ, own):
        import ray
        from ray.util.joblib import register_ray

        before = signal.getsignal(signal.SIGTERM), PicklingPool.__bases__
        register_ray()
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
        ray.init(num_cpus=2, _temp_dir=folder, **quiet)
        config = {"backend": "ray", "n_jobs": 2}
        repeats = {"max_restarts": 3, "max_task_retries": 3}
        yield Cluster(
            config=config,
            repeating=lambda *_: {**config, "ray_remote_args": repeats},
            errors=(ray.exceptions.RayActorError,),
            recover=lambda: None,  # each search starts workers of its own
        )
        ray.shutdown()
        # Ray leaves these changed, and joblib's "multiprocessing" with them.
        signal.signal(signal.SIGTERM, before[0])
        PicklingPool.__bases__ = before[1]


CLUSTERS = {
    "dask": dask_cluster,
    "ray": ray_cluster,
}


def descendants():
    return set(psutil.Process().children(recursive=True))


@pytest.fixture(scope="module", params=CLUSTERS)
def cluster(request):
    """A cluster of two workers, none of whose processes and folders outlasts it."""
    for tracker in (resource_tracker, loky.backend.resource_tracker):
        tracker.ensure_running()  # these two end with the tests
    before = descendants()
    with TemporaryDirectory(prefix="c") as folder:  # a short name, as the paths of sockets must be
        with CLUSTERS[request.param](folder) as cluster:
            yield cluster
            started = descendants() - before
        _, alive = psutil.wait_procs(started, timeout=60)
        assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def pipeline(preprocessing):
    network = KerasDenseClassifier(
        units=8, depth=1, epochs=20, dropout=0.1, learning_rate=0.03, random_state=0
    )
    return Pipeline([("preprocessing", preprocessing), ("network", network)])


def within(seconds, function):
    """Return what a function returns, unless it takes longer."""
    future = Future()

    def run():
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(timeout=seconds)


def test_cross_validation_gives_the_bits_of_a_sequential_one(cluster, pipeline, penguins):
    run = partial(cross_validate, pipeline, *penguins, cv=FOLDS, return_estimator=True)
    alone = run()
    with parallel_config(**cluster.config):
        spread = run()
    assert_array_equal(spread["test_score"], alone["test_score"])
    for one, other in zip(spread["estimator"], alone["estimator"], strict=True):
        assert one["network"].history_ == other["network"].history_
        for mine, its in zip(one["network"].coefs_, other["network"].coefs_, strict=True):
            assert_array_equal(mine, its)


def test_error_of_a_worker_reaches_the_caller(cluster, pipeline, penguins):
    grid = {"network__units": [8, -1]}
    search = GridSearchCV(pipeline, grid, cv=FOLDS, error_score="raise")
    with pytest.raises(ValueError, match="units") as alone:
        search.fit(*penguins)
    message = re.escape(str(alone.value))
    with parallel_config(**cluster.config), pytest.raises(ValueError, match=message):
        search.fit(*penguins)


@pytest.fixture
def mortal(pipeline):
    """A pipeline without work that a worker would give to others, and wait for ever if they die."""
    return pipeline.set_params(preprocessing__n_jobs=1)


def test_killed_worker_ends_a_search_with_an_error_and_the_next_one_gives_the_bits_of_one_alone(
    cluster, mortal, penguins
):
    caller = os.getpid()

    def lethal(*_):
        assert os.getpid() != caller
        os.kill(os.getpid(), signal.SIGKILL)

    grid = {"network__learning_rate": [0.01, 0.03]}
    search = GridSearchCV(mortal, grid, scoring="neg_log_loss", cv=FOLDS)

    def run(scoring):
        with parallel_config(**cluster.config):
            return clone(search).set_params(scoring=scoring).fit(*penguins)

    with pytest.raises(cluster.errors):
        within(TIMEOUT, lambda: run(lethal))
    cluster.recover()
    spread = within(TIMEOUT, lambda: run("neg_log_loss"))
    alone = search.fit(*penguins)
    assert spread.best_params_ == alone.best_params_
    for fold in range(3):
        name = f"split{fold}_test_score"
        assert_array_equal(spread.cv_results_[name], alone.cv_results_[name])
    X = penguins[0]
    assert_array_equal(spread.predict_proba(X), alone.predict_proba(X))


def test_killed_worker_is_made_up_for_where_work_may_be_repeated(
    cluster, mortal, penguins, tmp_path
):
    # So few rows that their numbers go along with each task; of more, Dask has one copy only.
    X, y = (part[::6] for part in penguins)
    killed = tmp_path / "killed"

    def lethal_once(fitted, *_):
        try:
            killed.touch(exist_ok=False)
        except FileExistsError:
            return -fitted["network"].history_["loss"][-1]
        return os.kill(os.getpid(), signal.SIGKILL)

    def run():
        with parallel_config(**cluster.repeating(X, y)):
            return cross_val_score(mortal, X, y, scoring=lethal_once, cv=FOLDS)

    scores = within(TIMEOUT, run)
    assert killed.exists()
    assert_array_equal(scores, cross_val_score(mortal, X, y, scoring=lethal_once, cv=FOLDS))
