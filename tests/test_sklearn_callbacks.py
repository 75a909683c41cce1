"""scikit-learn's own callbacks, which exist from its release 1.9 on."""

import subprocess
import sys
from textwrap import dedent

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseClassifier, KerasDenseRegressor, KerasTabularRegressor

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    HAS_CALLBACKS = False
else:
    HAS_CALLBACKS = True

needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="they came with scikit-learn 1.9")
engines = pytest.mark.parametrize(
    "engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)]
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 3))
NUMBERS = 1000 + 50 * (X @ [2.0, -1.0, 0.5] + 0.5 * RNG.standard_normal(64))
CLASSES = np.digitize(NUMBERS, np.quantile(NUMBERS, [1 / 3, 2 / 3]))
SMALL = {"units": 4, "depth": 1, "batch_size": 16, "epochs": 4, "learning_rate": 0.05}
SMALL |= {"random_state": 0, "dtype": "float32"}
SMALL |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
NUMBER_NETWORK = KerasDenseRegressor(**SMALL)
CLASS_NETWORK = KerasDenseClassifier(**SMALL)


class Recorder:
    """Writes down what it is told, and stops after so many epochs or fails at a hook."""

    def __init__(self, stop_after=None, fail_at=None):
        self.entries, self.estimators, self.contexts = [], [], []
        self._stop_after, self._fail_at = stop_after, fail_at

    def _write(self, hook, context):
        self.entries.append((hook, getattr(context, "task_name", None)))
        if (hook, context.task_name) == self._fail_at:
            raise ZeroDivisionError(hook)

    def setup(self, estimator, context):
        self._write("setup", context)

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self._write("begin", context)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.contexts.append(context)
        self.estimators.append(fitted_estimator)
        self._write("end", context)
        return len(self.epochs) == self._stop_after

    def teardown(self, estimator, context):
        self._write("teardown", context)

    @property
    def epochs(self):
        return [entry for entry in self.entries if entry == ("end", "epoch")]


def fitted(network, *callbacks, **changes):
    network = clone(network).set_params(**changes)
    if callbacks:
        network.set_callbacks(*callbacks)
    is_regressor = isinstance(network, KerasDenseRegressor)
    return network.fit(X, NUMBERS if is_regressor else CLASSES)


@needs_callbacks
def test_one_of_the_tabular_networks_is_followed():
    recorder = Recorder()
    network = KerasTabularRegressor(units=4, depth=1, epochs=2, random_state=0, dtype="float32")
    network.set_callbacks(recorder)
    with pytest.raises(ValueError, match=r"is for one network\. Got n_estimators=8\. Set n_estim"):
        network.fit(X, NUMBERS)
    network.set_params(n_estimators=1).fit(X, NUMBERS)
    assert len(recorder.epochs) == 2


def epoch_scores(monitor, name):
    return [row[name] for row in monitor.get_logs().data if row["task_name"] == "epoch"]


# Blocks the import as a release without these callbacks does, on any release.
WITHOUT_CALLBACKS = dedent("""
    import sys
    import numpy as np
    import sklearn, sklearn.pipeline, sklearn.model_selection, sklearn.utils.metaestimators
    vars(sklearn).pop("callback", None)
    sys.modules["sklearn.callback"] = None
    from skdense import KerasDenseRegressor
    X = np.random.default_rng(0).normal(size=(30, 2))
    network = KerasDenseRegressor(units=2, depth=1, epochs=2, random_state=0).fit(X, X[:, 0])
    print(hasattr(network, "set_callbacks"), len(network.predict(X)))
""")


@pytest.mark.slow
def test_without_them_in_scikit_learn_everything_else_works():
    command = [sys.executable, "-c", WITHOUT_CALLBACKS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.stdout.split(), done.returncode) == (["False", "30"], 0), done.stderr


def test_set_callbacks_is_there_where_scikit_learn_has_callbacks():
    assert hasattr(NUMBER_NETWORK, "set_callbacks") is HAS_CALLBACKS
    assert fitted(NUMBER_NETWORK).n_iter_ == 4


@needs_callbacks
@engines
def test_every_epoch_is_a_subtask(engine):
    recorder = Recorder()
    fitted(NUMBER_NETWORK, recorder, engine=engine)
    epoch = [("begin", "epoch"), ("end", "epoch")]
    around = [("setup", "fit"), ("begin", "fit")], [("end", "fit"), ("teardown", "fit")]
    assert recorder.entries == [*around[0], *epoch * 4, *around[1]]
    *epochs, fit = recorder.contexts
    assert [context.task_id for context in epochs] == [0, 1, 2, 3]
    assert all(context.parent is fit for context in epochs)
    assert (fit.max_subtasks, {context.max_subtasks for context in epochs}) == (4, {0})


@pytest.mark.slow
@needs_callbacks
@engines
@pytest.mark.parametrize("network", [NUMBER_NETWORK, CLASS_NETWORK], ids=["reg", "clf"])
def test_hooks_get_the_estimator_as_if_fitted_for_so_many_epochs(network, engine):
    recorder, y = Recorder(), NUMBERS if network is NUMBER_NETWORK else CLASSES
    last = fitted(network, recorder, engine=engine, epochs=3)
    for n_epochs, estimator in enumerate(recorder.estimators[:-1], start=1):
        alone = fitted(network, epochs=n_epochs, engine=engine)
        assert_array_equal(estimator.predict(X), alone.predict(X))
        assert estimator.score(X, y) == alone.score(X, y)
        assert estimator.n_iter_ == alone.n_iter_ == n_epochs
        assert estimator.history_ == alone.history_
        assert_array_equal(estimator.to_keras().get_weights()[0], alone.coefs_[0])
    assert_array_equal(recorder.estimators[-1].predict(X), last.predict(X))


@needs_callbacks
def test_the_estimator_of_the_hooks_has_all_fitted_attributes():
    recorder = Recorder()
    last = fitted(NUMBER_NETWORK, recorder, validation_fraction=0.25)
    names = {name for name in dir(last) if name.endswith("_") and not name.startswith("_")}
    assert names == {name for name in dir(recorder.estimators[0]) if name in names}
    assert recorder.estimators[0].best_epoch_ == 1


@needs_callbacks
def test_the_estimator_of_the_hooks_counts_all_epochs_under_warm_start():
    network = fitted(NUMBER_NETWORK, warm_start=True)
    recorder = Recorder()
    network.set_callbacks(recorder).fit(X, NUMBERS)
    assert [estimator.n_iter_ for estimator in recorder.estimators] == [5, 6, 7, 8, 8]
    assert recorder.estimators[0].history_["loss"] == network.history_["loss"][:5]


@needs_callbacks
def test_scoring_monitor_scores_each_epoch_as_the_estimator_does():
    monitor = ScoringMonitor(scoring=["r2", "neg_mean_absolute_error"])
    network = fitted(NUMBER_NETWORK, monitor)
    truth = [fitted(NUMBER_NETWORK, epochs=n).score(X, NUMBERS) for n in (1, 2, 3, 4)]
    assert epoch_scores(monitor, "r2") == truth
    assert truth[-1] == network.score(X, NUMBERS)
    error = -np.abs(network.predict(X) - NUMBERS).mean()
    assert epoch_scores(monitor, "neg_mean_absolute_error")[-1] == pytest.approx(error)


@needs_callbacks
def test_scoring_monitor_weighs_rows():
    monitor = ScoringMonitor(scoring="accuracy")
    weights = np.arange(64.0)
    network = clone(CLASS_NETWORK).set_callbacks(monitor).fit(X, CLASSES, weights)
    assert epoch_scores(monitor, "accuracy")[-1] == network.score(X, CLASSES, weights)


@needs_callbacks
@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_names_of_columns_bring_no_warnings(scoring):
    monitor, table = ScoringMonitor(scoring="accuracy"), pd.DataFrame(X, columns=list("abc"))
    network = clone(CLASS_NETWORK).set_params(early_stopping=True, scoring=scoring)
    network.set_callbacks(monitor).fit(table, CLASSES)
    assert len(epoch_scores(monitor, "accuracy")) == network.n_iter_


@needs_callbacks
def test_a_further_fit_without_names_of_columns_brings_no_warnings():
    network = clone(CLASS_NETWORK).fit(pd.DataFrame(X, columns=list("abc")), CLASSES)
    monitor = ScoringMonitor(scoring="accuracy")
    network.set_callbacks(monitor).fit(X, CLASSES)
    assert len(epoch_scores(monitor, "accuracy")) == network.n_iter_
    assert not hasattr(network, "feature_names_in_")


@needs_callbacks
@engines
def test_a_callback_stops_the_training(engine):
    recorder = Recorder(stop_after=2)
    network = fitted(NUMBER_NETWORK, recorder, engine=engine)
    assert network.n_iter_ == len(network.loss_curve_) == 2
    alone = fitted(NUMBER_NETWORK, epochs=2, engine=engine)
    assert_array_equal(network.predict(X), alone.predict(X))
    assert recorder.entries[-2:] == [("end", "fit"), ("teardown", "fit")]


@needs_callbacks
def test_bits_are_those_of_a_silent_fit():
    silent = fitted(CLASS_NETWORK)
    monitored = fitted(CLASS_NETWORK, Recorder(), ScoringMonitor(scoring="accuracy"))
    assert_array_equal(monitored.predict_proba(X), silent.predict_proba(X))
    assert monitored.history_ == silent.history_


@needs_callbacks
@engines
def test_beside_early_stopping_and_keras_callbacks(engine):
    recorder, monitor = Recorder(), ScoringMonitor(scoring="r2")
    losses = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda _, logs: losses.append(logs["loss"])
    )
    changes = {"early_stopping": True, "patience": 2, "learning_rate": 0.2, "epochs": 40}
    changes |= {"callbacks": record, "engine": engine}
    network = fitted(NUMBER_NETWORK, recorder, monitor, **changes)
    assert network.n_iter_ < 40
    assert len(recorder.epochs) == len(losses) == network.n_iter_
    scores = epoch_scores(monitor, "r2")
    assert scores[network.best_epoch_ - 1] == network.score(X, NUMBERS)
    root = [row for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert [row["r2"] for row in root] == [network.score(X, NUMBERS)]


@needs_callbacks
@engines
@pytest.mark.parametrize(
    "moment",
    [("setup", "fit"), ("begin", "fit"), ("begin", "epoch"), ("end", "epoch"), ("end", "fit")],
)
def test_an_error_in_a_hook_surfaces_and_everything_is_taken_down(moment, engine):
    recorder = Recorder(fail_at=moment)
    network = fitted(NUMBER_NETWORK).set_params(engine=engine, random_state=1)
    network.set_callbacks(recorder)
    before = vars(network).copy()
    with pytest.raises(ZeroDivisionError, match=moment[0]):
        network.fit(X, NUMBERS)
    assert recorder.entries[-1] == ("teardown", "fit")
    assert vars(network) == before


@needs_callbacks
def test_an_error_in_the_data_leaves_nothing_behind():
    recorder = Recorder()
    network = clone(NUMBER_NETWORK).set_callbacks(recorder)
    before = vars(network).copy()
    with pytest.raises(ValueError, match="NaN"):
        network.fit(np.full_like(X, np.nan), NUMBERS)
    assert vars(network) == before
    assert recorder.entries[-1] == ("teardown", "fit")


@needs_callbacks
def test_progress_bar_shows_the_fit(capsys):
    fitted(NUMBER_NETWORK, ProgressBar())
    shown = capsys.readouterr().out
    assert "KerasDenseRegressor - fit" in shown
    assert "100%" in shown


@needs_callbacks
def test_in_a_pipeline(capsys):
    monitor = ScoringMonitor(scoring="r2")
    network = clone(NUMBER_NETWORK).set_callbacks(monitor)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    pipeline.set_callbacks(ProgressBar())
    pipeline.fit(X, NUMBERS)
    assert len(epoch_scores(monitor, "r2")) == 4
    assert epoch_scores(monitor, "r2")[-1] == pipeline.score(X, NUMBERS)
    shown = capsys.readouterr().out
    assert "Pipeline - fit" in shown
    assert "KerasDenseRegressor - fit" in shown


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_through_a_search(n_jobs, capsys):
    monitor = ScoringMonitor(scoring="r2")
    network = clone(NUMBER_NETWORK).set_callbacks(monitor)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    grid = {"network__learning_rate": [0.01, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).set_callbacks(ProgressBar())
    search.fit(X, NUMBERS)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 4 * (2 * 2 + 1)  # epochs, of two rates on two folds and the refit
    assert len({row["parent_task_id_path"] for row in rows}) == 5
    assert search.score(X, NUMBERS) in [row["r2"] for row in rows]
    silent = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("network", NUMBER_NETWORK)]), grid
    )
    silent.set_params(cv=2).fit(X, NUMBERS)
    assert_array_equal(search.cv_results_["mean_test_score"], silent.cv_results_["mean_test_score"])
    assert "GridSearchCV - fit" in capsys.readouterr().out


@needs_callbacks
def test_refit_full_reports_the_watched_training_only():
    recorder = Recorder()
    changes = {"early_stopping": True, "refit_full": True, "patience": 2, "learning_rate": 0.2}
    network = fitted(NUMBER_NETWORK, recorder, epochs=40, **changes)
    assert len(recorder.epochs) == network.n_iter_ < 40
