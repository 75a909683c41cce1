"""Networks that train side by side in one program: watched, stopped and failing each by itself."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdense import KerasDenseRegressor
from skdense._networks.forward import forward
from skdense._networks.network import HiddenLayer, build_network
from skdense._training.early_stopping import EarlyStopping
from skdense._training.engines import train
from skdense._training.optimizers import optimizer_settings
from skdense._training.program import Program
from skdense._training.task import TrainingFailure, TrainingTask, ValidationData

RNG = np.random.default_rng(0)
N_MEMBERS = 5
X = RNG.standard_normal((120, 4))
Y = np.tanh(X @ RNG.standard_normal((4, 1))) + 0.3 * RNG.standard_normal((120, 1))
NETWORK = build_network(4, [HiddenLayer(16, "relu", 0.0)], 1, "linear", False)
NO_PENALTY = {"l1": 0.0, "l2": 0.0}
HELD_OUT = ValidationData(X[80:], Y[80:], None)


def make_task(member=0, rate=0.03, patience=None, optimizer="adam", **changes):
    task = TrainingTask(
        network=NETWORK,
        X=X[:80],
        y=Y[:80],
        sample_weight=None,
        loss="mean_squared_error",
        kernel_initializer="glorot_uniform",
        optimizer=optimizer_settings(optimizer, rate, None, None),
        numbers={"l1": 0.0, "l2": 0.001},
        batch_size=16,
        epochs=40,
        shuffle=True,
        dtype="float64",
        seed=3,
        member=member,
        validation=HELD_OUT,
        stopping=None if patience is None else EarlyStopping(False, patience),
    )
    return replace(task, **changes)


@pytest.fixture
def calls(monkeypatch):
    """The specs of the programs that were called."""
    seen, run = [], Program.__call__

    def noted(self, *arguments):
        seen.append(self._spec)
        return run(self, *arguments)

    monkeypatch.setattr(Program, "__call__", noted)
    return seen


def assert_same_result(one, other):
    for name in ("best_epoch", "was_interrupted", "engine"):
        assert getattr(one, name) == getattr(other, name)
    assert one.state.n_epochs == other.state.n_epochs
    assert one.history.keys() == other.history.keys()
    for name, values in one.history.items():
        assert_allclose(values, other.history[name], rtol=1e-9, err_msg=name)
    for own, theirs in ((one.weights, other.weights), (one.state.weights, other.state.weights)):
        for stage, same in zip(own, theirs, strict=True):
            for name, array in stage.items():
                assert_allclose(array, same[name], rtol=1e-9, atol=1e-12)
    assert (one.state.optimizer is None) == (other.state.optimizer is None)
    if one.state.optimizer is not None:
        assert one.state.optimizer.n_steps == other.state.optimizer.n_steps
        for slots, same in zip(one.state.optimizer.slots, other.state.optimizer.slots, strict=True):
            for array, theirs in zip(slots, same, strict=True):
                assert_allclose(array, theirs, rtol=1e-8, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("patience", [None, 1, 3, 10])
def test_watched_members_end_as_each_does_alone(patience, calls):
    tasks = [make_task(member, 0.01 * (1 + 3 * member), patience) for member in range(N_MEMBERS)]
    together = train(tasks)
    assert {spec.n_members for spec in calls} == {N_MEMBERS}
    alone = [train([task])[0] for task in tasks]
    if patience in (1, 3):
        assert len({result.state.n_epochs for result in alone}) > 1
    for one, other in zip(together, alone, strict=True):
        assert_same_result(one, other)


def test_members_watch_their_own_rows_and_scores():
    def score(members):
        [weights] = members
        return -float(np.abs(forward(NETWORK, weights, X[80:]) - Y[80:]).mean())

    tasks = [
        make_task(
            member,
            0.05,
            3,
            validation=ValidationData(X[60 + 10 * member :], Y[60 + 10 * member :], None),
            score=score if member == 2 else None,
        )
        for member in range(3)
    ]
    tasks[2] = replace(tasks[2], stopping=EarlyStopping(True, 3))
    together = train(tasks)
    assert "val_score" in together[2].history
    for one, task in zip(together, tasks, strict=True):
        assert_same_result(one, train([task])[0])


@pytest.mark.slow
def test_a_member_that_diverges_fails_alone():
    tasks = [make_task(m, rate, optimizer="sgd") for m, rate in enumerate((0.01, 1e20, 0.02))]
    one, failed, other = train(tasks)
    assert isinstance(failed, TrainingFailure)
    with pytest.raises(ValueError, match=r"finite.* learning_rate=1e\+20"):
        raise failed.error
    assert_same_result(one, train([tasks[0]])[0])
    assert_same_result(other, train([tasks[2]])[0])


def test_a_silent_member_that_diverges_fails_alone():
    tasks = [
        make_task(m, rate, optimizer="sgd", validation=None)
        for m, rate in enumerate((0.01, 1e20, 0.02))
    ]
    one, failed, other = train(tasks)
    assert isinstance(failed, TrainingFailure)
    assert_same_result(one, train([tasks[0]])[0])
    assert_same_result(other, train([tasks[2]])[0])


def test_a_member_that_diverges_late_keeps_its_best_epoch():
    tasks = [make_task(m, rate, 30, "sgd") for m, rate in enumerate((0.05, 3.0))]
    with pytest.warns(UserWarning, match="Early stopping keeps the weights of epoch"):
        one, other = train(tasks)
    assert_same_result(one, train([tasks[0]])[0])
    with pytest.warns(UserWarning, match="Early stopping keeps the weights of epoch"):
        assert_same_result(other, train([tasks[1]])[0])
    assert other.state.n_epochs < 40


def test_a_scorer_that_fails_fails_its_own_member():
    def broken(members):
        raise ValueError("no score")

    one, failed = train([make_task(0), make_task(1, score=broken)])
    assert_same_result(one, train([make_task(0)])[0])
    with pytest.raises(ValueError, match="no score"):
        raise failed.error


def test_tasks_that_cannot_train_fail_before_the_others_train():
    def rounded(y_true, y_pred):
        import tensorflow as tf

        return tf.reduce_mean(tf.square(y_true - tf.round(y_pred)), axis=-1)

    failed, one = train([make_task(0, loss=rounded), make_task(1)])
    assert isinstance(failed, TrainingFailure)
    assert "gradient" in str(failed.error)
    assert_same_result(one, train([make_task(1)])[0])


# --- ensembles ---------------------------------------------------------------------------


def predictions(results, rows):
    return np.mean([forward(NETWORK, result.weights, rows) for result in results], axis=0)


def test_an_ensemble_is_watched_by_the_mean_of_its_predictions():
    tasks = [
        make_task(member, patience=5, ensemble="one", numbers=NO_PENALTY) for member in range(3)
    ]
    results = train(tasks)
    assert len({result.best_epoch for result in results}) == 1
    assert len({result.state.n_epochs for result in results}) == 1
    best = results[0].history["val_loss"][results[0].best_epoch - 1]
    assert best == min(results[0].history["val_loss"])
    assert_allclose(best, np.mean((predictions(results, X[80:]) - Y[80:]) ** 2), rtol=1e-9)
    alone = train([replace(task, ensemble=None, stopping=None) for task in tasks])
    epoch = results[0].best_epoch
    losses = [result.history["loss"][epoch - 1] for result in alone]
    assert_allclose(results[0].history["loss"][epoch - 1], np.mean(losses), rtol=1e-9)


def test_members_of_folds_are_watched_by_what_they_predict_out_of_fold():
    folds = np.array_split(np.arange(100), [20, 50])
    tasks = [
        make_task(
            member,
            patience=5,
            ensemble="folds",
            X=X,
            y=Y,
            rows=np.setdiff1d(np.arange(100), fold)[:50],
            validation=ValidationData(X[fold], Y[fold], None),
            numbers=NO_PENALTY,
        )
        for member, fold in enumerate(folds)
    ]
    results = train(tasks)
    out_of_fold = np.empty((100, 1))
    for result, fold in zip(results, folds, strict=True):
        out_of_fold[fold] = forward(NETWORK, result.weights, X[fold])
    best = results[0].history["val_loss"][results[0].best_epoch - 1]
    assert_allclose(best, np.mean((out_of_fold - Y[:100]) ** 2), rtol=1e-9)


def test_a_score_sees_all_members_of_an_ensemble():
    seen = []

    def score(members):
        seen.append(len(members))
        mean = np.mean([forward(NETWORK, own, X[80:]) for own in members], axis=0)
        return -float(np.abs(mean - Y[80:]).mean())

    stopping = EarlyStopping(True, 4)
    tasks = [make_task(m, score=score, stopping=stopping, ensemble=0) for m in range(3)]
    results = train(tasks)
    assert set(seen) == {3}
    best = max(results[0].history["val_score"])
    assert_allclose(best, -np.abs(predictions(results, X[80:]) - Y[80:]).mean(), rtol=1e-9)


def test_two_ensembles_and_a_network_alone_train_in_one_batch(calls):
    tasks = [make_task(m, patience=3, ensemble=m // 2 if m < 4 else None) for m in range(5)]
    together = train(tasks)
    assert {spec.n_members for spec in calls} == {5}
    for numbers in ([0, 1], [2, 3], [4]):
        alone = train([tasks[number] for number in numbers])
        for number, result in zip(numbers, alone, strict=True):
            assert_same_result(together[number], result)


def test_an_ensemble_goes_on_from_where_it_ended():
    tasks = [make_task(m, ensemble=0, epochs=4) for m in range(2)]
    first = train(tasks)
    later = [replace(t, start=r.state, epochs=3) for t, r in zip(tasks, first, strict=True)]
    through = train([replace(task, epochs=7) for task in tasks])
    for one, other in zip(train(later), through, strict=True):
        for stage, same in zip(one.weights, other.weights, strict=True):
            for name, array in stage.items():
                assert_array_equal(array, same[name])
        assert one.best_epoch == other.best_epoch


def test_an_ensemble_that_cannot_train_in_one_program_is_an_error():
    tasks = [make_task(0, ensemble=0), make_task(1, ensemble=0, rows=np.arange(40))]
    with pytest.raises(ValueError, match="Tasks of one ensemble must train in one program"):
        train(tasks)


def test_watched_and_silent_tasks_of_large_networks_train_apart():
    network = build_network(4, [HiddenLayer(400, "relu", 0.0)] * 2, 1, "linear", False)
    silent = make_task(0, network=network, validation=None, epochs=3)
    watched = make_task(1, network=network, patience=1, epochs=6)
    one, other = train([silent, watched])
    assert one.history.keys() == {"loss"}
    assert other.history.keys() == {"loss", "val_loss"}
    assert_same_result(other, train([watched])[0])


def count_tasks():
    return sum(isinstance(one, TrainingTask) for one in gc.get_objects())


@pytest.mark.slow
def test_failures_keep_nothing_alive():
    network = KerasDenseRegressor(learning_rate=1e20, optimizer="sgd", epochs=40)
    train([make_task()])  # TensorFlow itself keeps the frames of its first use
    gc.collect()
    before = count_tasks()
    gc.disable()
    try:
        train([make_task(0, 1e20, optimizer="sgd"), make_task(1)])
        assert count_tasks() == before
        try:
            network.fit(X, Y[:, 0])
        except ValueError:
            pass
        else:
            raise AssertionError("did not diverge")
        assert count_tasks() == before
    finally:
        gc.enable()
