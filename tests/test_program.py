"""What is compiled, how often, and that members of one program do not disturb each other."""

import gc
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from sklearn.base import clone

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor
from skdense._networks.network import HiddenLayer, build_network
from skdense._training import program
from skdense._training.batches import steps_per_chunk
from skdense._training.engines import train
from skdense._training.optimizers import optimizer_settings
from skdense._training.program import trace_count
from skdense._training.task import TrainingTask

MAPPINGS = Path("/proc/self/maps")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 6))
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])
BASE = KerasDenseClassifier(units=(11, 9), epochs=2, batch_size=16, dropout=0.1, l2=0.01, l1=0.01)
BASE.set_params(clipnorm=1.0, weight_decay=0.01, learning_rate=0.01, dtype="float32")
SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.5)


def traces_of(estimator, X=X, y=CLASSES):
    before = trace_count()
    estimator.fit(X, y)
    return trace_count() - before


@pytest.fixture(autouse=True)
def fitted_once():
    BASE.fit(X, CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"random_state": 3},
        {"learning_rate": 0.1},
        {"learning_rate": SCHEDULE},
        {"dropout": 0.5},
        {"l1": 0.1, "l2": 0.2},
        {"weight_decay": 0.3},
        {"clipnorm": 0.2},
        {"epochs": 7},
        {"shuffle": False},
        {"verbose": 2},
        {"kernel_initializer": "he_normal"},
        {"optimizer": keras.optimizers.Adam(0.5)},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_same_architecture_compiles_nothing(changes):
    assert traces_of(clone(BASE).set_params(**changes)) == 0


@pytest.mark.parametrize("n_rows", [30, 71, 72, 89])
def test_other_folds_compile_nothing(n_rows):
    assert traces_of(clone(BASE), X[:n_rows] + 1, CLASSES[:n_rows]) == 0


def test_sparse_input_compiles_nothing():
    assert traces_of(clone(BASE), scipy.sparse.csr_array(X)) == 0


def test_clones_of_keras_objects_compile_once():
    network = KerasDenseClassifier(
        units=5,
        epochs=1,
        optimizer=keras.optimizers.RMSprop(0.01, momentum=0.3),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.2),
        activation=keras.layers.LeakyReLU(negative_slope=0.3),
    )
    traces_of(network)
    assert traces_of(clone(network)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"units": 40}, {"activation": "elu"}, {"optimizer": "nadam"}, {"batch_size": 17}, {"l1": 0}],
    ids=str,
)
def test_another_architecture_compiles_once(changes):
    network = clone(BASE).set_params(**changes)
    assert traces_of(network) == 1
    assert traces_of(network) == 0


@pytest.mark.parametrize(
    "changes", [{"units": (13, 10)}, {"units": (9, 16)}, {"activation": "relu"}], ids=str
)
def test_neighbouring_widths_share_a_program(changes):
    assert traces_of(clone(BASE).set_params(**changes)) == 0


def test_neighbouring_numbers_of_columns_share_a_program():
    assert traces_of(clone(BASE), X[:, :5]) == 0
    assert traces_of(clone(BASE), np.c_[X, X[:, :2]]) == 0


@pytest.mark.slow
def test_without_room_for_more_code_keras_trains(monkeypatch):
    network = KerasDenseClassifier(units=5, depth=1, epochs=3, random_state=0)
    expected = network.fit(X, CLASSES).predict_proba(X)
    skdense.clear_cache()
    monkeypatch.setattr("skdense._training.program._has_room_for_code", lambda: False)
    with pytest.warns(skdense.SlowEngineWarning, match="vm.max_map_count"):
        network.fit(X, CLASSES)
    assert network.engine_ == "keras"
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-4)
    monkeypatch.undo()
    assert network.fit(X, CLASSES).engine_ == "compiled"
    monkeypatch.setattr("skdense._training.program._has_room_for_code", lambda: False)
    assert network.fit(X, CLASSES).engine_ == "compiled"  # as its program is there


def count_graphs():
    gc.collect()
    return sum(isinstance(found, tf.Graph) for found in gc.get_objects())


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_programs_that_are_given_up_leave_nothing(activation, monkeypatch):
    monkeypatch.setattr(program, "_cached_program", lru_cache(maxsize=2)(program.Program))
    network = KerasDenseClassifier(activation=activation, depth=1, epochs=1)
    for units in (5, 6):
        network.set_params(units=units).fit(X, CLASSES)
    before = count_graphs()
    for units in (7, 8):
        network.set_params(units=units).fit(X, CLASSES)
    assert count_graphs() == before


@pytest.mark.slow
@pytest.mark.skipif(not MAPPINGS.exists(), reason="only Linux lists mappings")
def test_clear_cache_frees_compiled_code():
    def count_mappings():
        """Count those of code that comes from no file."""
        lines = [line.split() for line in MAPPINGS.read_text().splitlines()]
        return sum("x" in line[1] and len(line) == 5 for line in lines)

    skdense.clear_cache()
    gc.collect()
    before = count_mappings()
    for units in (9, 17):
        KerasDenseClassifier(units=units, depth=1, epochs=1).fit(X, CLASSES)
    # One for a program in the oldest release of TensorFlow, and some forty in the newest.
    assert count_mappings() >= before + 2
    skdense.clear_cache()
    gc.collect()
    assert count_mappings() <= before


def test_where_room_is_short_other_programs_make_way(monkeypatch):
    network = KerasDenseClassifier(units=6, depth=1, epochs=1).fit(X, CLASSES)

    def is_only_one():
        return program._cached_program.cache_info().currsize == 0

    monkeypatch.setattr(program, "_has_room_for_code", is_only_one)
    assert network.set_params(units=7).fit(X, CLASSES).engine_ == "compiled"


@pytest.mark.slow
def test_clear_cache_compiles_again_with_the_same_result():
    network = clone(BASE).set_params(random_state=0)
    before = network.fit(X, CLASSES).predict_proba(X)
    skdense.clear_cache()
    assert traces_of(network) == 1
    np.testing.assert_array_equal(network.predict_proba(X), before)


def make_task(member=0, learning_rate=0.01, dropout=0.2, rows=slice(None), **changes):
    hidden = [HiddenLayer(8, "relu", dropout), HiddenLayer(7, "tanh", dropout)]
    task = TrainingTask(
        network=build_network(6, hidden, 3, "softmax", batch_normalization=True),
        X=X[rows].astype(np.float32),
        y=CLASSES[rows, np.newaxis].astype(np.float32),
        sample_weight=None,
        loss="sparse_categorical_crossentropy",
        kernel_initializer="glorot_uniform",
        optimizer=optimizer_settings("sgd", learning_rate, None, 1.0),
        numbers={"l1": 0.0, "l2": 0.01 * (member + 1)},
        batch_size=16,
        epochs=4,
        shuffle=True,
        dtype="float32",
        seed=5,
        member=member,
    )
    return replace(task, **changes)


def assert_same_training(one, other):
    for ours, theirs in zip(one.weights, other.weights, strict=True):
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-4)


@pytest.mark.slow
def test_members_trained_together_equal_each_alone():
    tasks = [
        make_task(0),
        make_task(1, learning_rate=0.05),
        make_task(2, dropout=0.5),
        make_task(3, rows=slice(1, 85)),
    ]
    before = trace_count()
    together = train(tasks)
    assert trace_count() - before == 1
    for task, result in zip(tasks, together, strict=True):
        assert_same_training(result, train([task])[0])


@pytest.mark.slow
def test_members_of_one_seed_differ():
    one, other = train([make_task(0), make_task(1)])
    assert np.abs(one.weights[0]["kernel"] - other.weights[0]["kernel"]).max() > 0.01


@pytest.mark.slow
def test_tasks_that_cannot_train_together_come_back_in_order():
    wide = make_task(network=build_network(6, [HiddenLayer(20, "relu", 0)], 3, "softmax", False))
    longer = make_task(epochs=6)
    results = train([make_task(), wide, longer, make_task(1)])
    assert [len(result.history["loss"]) for result in results] == [4, 4, 6, 4]
    assert results[1].weights[0]["kernel"].shape == (6, 20)
    assert_same_training(results[3], train([make_task(1)])[0])


@pytest.mark.slow
def test_memory_map_and_sparse_train_as_dense(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X.astype(np.float32))
    dense = train([make_task()])[0]
    mapped = train([make_task(X=np.load(path, mmap_mode="r"))])[0]
    sparse = train([make_task(X=scipy.sparse.csr_array(X.astype(np.float32)))])[0]
    for other in (mapped, sparse):
        np.testing.assert_array_equal(other.weights[0]["kernel"], dense.weights[0]["kernel"])


@pytest.mark.slow
def test_dropout_of_a_large_rate_changes_training_but_not_prediction():
    plain = KerasDenseRegressor(units=16, epochs=3, dropout=0.0, random_state=0)
    dropped = KerasDenseRegressor(units=16, epochs=3, dropout=0.9, random_state=0)
    assert abs(plain.fit(X, X[:, 0]).loss_curve_[0] - dropped.fit(X, X[:, 0]).loss_curve_[0]) > 0.01
    np.testing.assert_array_equal(dropped.predict(X), dropped.predict(X))


def test_dropout_keeps_the_mean_of_its_input():
    # A wide layer of ones: what reaches the output is the share kept, divided by the rate.
    wide = np.ones((64, 1))
    network = KerasDenseRegressor(
        units=2_000,
        depth=1,
        dropout=0.25,
        kernel_initializer=keras.initializers.Constant(1 / 2_000),
        activation=lambda x: x * 2_000,
        standardize_target=False,
        optimizer="sgd",
        learning_rate=1e-30,
        epochs=1,
        loss="mae",
    )
    assert network.fit(wide, np.zeros(64)).loss_curve_[0] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("n_columns", "batch_size", "n_members", "steps"),
    [(1, 16, 1, 1024), (1, 16, 20, 655), (500, 256, 1, 32)],
)
def test_chunks_are_bounded_by_all_that_is_in_them(n_columns, batch_size, n_members, steps):
    task = make_task(y=np.zeros((len(X), n_columns), np.float32), batch_size=batch_size)
    assert steps_per_chunk(task, n_members) == steps
