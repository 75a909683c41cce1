"""Optuna prunes trials of compiled fits, and searches over these estimators as over any other."""

import optuna
import pytest
from numpy.testing import assert_allclose
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna_integration.keras import KerasPruningCallback
from optuna_integration.sklearn import OptunaSearchCV
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseClassifier
from skdense._training.program import trace_count

pytestmark = [
    # Of scikit-learn 1.6, of tags that OptunaSearchCV has in the old way.
    pytest.mark.filterwarnings("ignore:The OptunaSearchCV or classes:FutureWarning"),
    pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental"),
    # Optuna's own search still reports to a module that it gives up.
    pytest.mark.filterwarnings("ignore:`optuna.terminator`:FutureWarning"),
]

X, Y = make_classification(200, 6, n_informative=4, random_state=0)
RATES = [0.03, 0.01, 1e-5, 0.02, 1e-4]  # two of them learn nothing
NETWORK = KerasDenseClassifier(
    units=8, batch_size=32, epochs=6, validation_fraction=0.25, random_state=0
)


@pytest.fixture(autouse=True)
def silent():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(level)


def make_study(direction, storage=None):
    """Return a study that tries each rate in turn."""
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1)
    study = optuna.create_study(direction=direction, storage=storage, pruner=pruner)
    for rate in RATES:
        study.enqueue_trial({"learning_rate": rate})
    return study


def run_trials(storage=None, **parameters):
    """Fit a pipeline for each rate, as a study does; returns the study, and the networks."""
    networks = []

    def objective(trial):
        rate = trial.suggest_categorical("learning_rate", RATES)
        callbacks = [KerasPruningCallback(trial, "val_loss")]
        network = clone(NETWORK).set_params(learning_rate=rate, callbacks=callbacks, **parameters)
        networks.append(network)
        make_pipeline(StandardScaler(), network).fit(X, Y)
        return network.history_["val_loss"][-1]

    study = make_study("minimize", storage)
    study.optimize(objective, n_trials=len(RATES))
    return study, networks


def losses(study):
    return [list(trial.intermediate_values.values()) for trial in study.trials]


def test_trials_are_pruned_without_compiling_again():
    run_trials()
    traces = trace_count()
    study, networks = run_trials()
    assert trace_count() == traces
    assert [trial.state.name for trial in study.trials] == [
        "COMPLETE", "COMPLETE", "PRUNED", "COMPLETE", "PRUNED"
    ]  # fmt: skip
    assert [len(reported) for reported in losses(study)] == [6, 6, 2, 6, 2]
    assert not hasattr(networks[2], "history_")  # a fit that was stopped leaves nothing
    assert networks[3].history_["val_loss"] == losses(study)[3]
    assert study.best_value == networks[study.best_trial.number].history_["val_loss"][-1]


def test_trials_on_disk_are_those_in_memory(tmp_path):
    in_memory, _ = run_trials()
    on_disk, _ = run_trials(storage=f"sqlite:///{tmp_path}/trials.db")
    assert losses(on_disk) == losses(in_memory)


def test_engines_prune_alike():
    compiled, _ = run_trials()
    with_keras, _ = run_trials(engine="keras")
    for own, theirs in zip(losses(compiled), losses(with_keras), strict=True):
        assert_allclose(own, theirs, rtol=1e-4)


def test_optuna_search_over_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), NETWORK)
    grid = {
        "kerasdenseclassifier__learning_rate": FloatDistribution(1e-3, 1e-1, log=True),
        "kerasdenseclassifier__activation": CategoricalDistribution(["relu", "tanh"]),
    }
    search = OptunaSearchCV(pipeline, grid, cv=2, n_trials=4, random_state=0).fit(X, Y)
    assert search.n_trials_ == 4
    assert search.best_params_.keys() == grid.keys()
    assert search.score(X, Y) > 0.8


def test_optuna_search_prunes_by_partial_fit():
    grid = {"learning_rate": CategoricalDistribution(RATES)}
    network = clone(NETWORK).set_params(validation_fraction=None)
    study = make_study("maximize")
    search = OptunaSearchCV(
        network, grid, cv=2, n_trials=len(RATES), enable_pruning=True, max_iter=6, study=study
    ).fit(X, Y)
    states = [trial.state.name for trial in search.trials_]
    assert states[2] == states[4] == "PRUNED"
    assert search.best_params_["learning_rate"] >= 0.01
