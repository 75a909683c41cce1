"""Estimators in pickles: Keras objects as configuration, functions by name or by value."""

import copy
import io
import json
import multiprocessing
import pickle
import subprocess
import sys
import threading
import zipfile

import cloudpickle
import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skdense
from skdense import KerasDenseClassifier, KerasDenseRegressor, KerasTabularClassifier

X = np.random.default_rng(0).standard_normal((60, 4))
y = np.array(list("abc"))[np.arange(60) % 3]


def doubled(x):
    return 2 * keras.ops.relu(x)


KERAS_OBJECTS = {
    "optimizer": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), momentum=0.5
    ),
    "learning_rate": lambda: keras.optimizers.schedules.CosineDecay(0.01, 20),
    "activation": lambda: (keras.layers.LeakyReLU(negative_slope=0.3), "tanh"),
    "kernel_initializer": lambda: keras.initializers.HeNormal(seed=3),
    "loss": lambda: keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    "callbacks": lambda: [keras.callbacks.TerminateOnNaN()],
}


def through_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))  # noqa: S301 - our own


def in_process(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS_OBJECTS)
def test_keras_objects_come_back_equal(name):
    network = KerasDenseClassifier(
        units=5, epochs=2, random_state=0, warm_start=True, **{name: KERAS_OBJECTS[name]()}
    ).fit(X, y)
    twin = through_pickle(network)
    assert name not in vars(twin)
    assert_array_equal(twin.predict_proba(X), network.predict_proba(X))
    assert name not in vars(twin)  # not needed for that
    assert_array_equal(
        clone(twin).fit(X, y).predict_proba(X), clone(network).fit(X, y).predict_proba(X)
    )
    assert type(getattr(twin, name)) is type(getattr(network, name))
    assert getattr(twin, name) is twin.get_params()[name]
    assert_array_equal(twin.fit(X, y).predict_proba(X), network.fit(X, y).predict_proba(X))
    assert twin.n_iter_ == 4


class Names(pickle.Unpickler):
    """Loads a pickle, and notes whose classes and functions are in it."""

    def find_class(self, module, name):
        self.found.add(f"{module}.{name}")
        return super().find_class(module, name)


def names_in(estimator):
    """Return the names of ours in a pickle."""
    unpickler = Names(io.BytesIO(pickle.dumps(estimator)))
    unpickler.found = set()
    unpickler.load()
    return {name for name in unpickler.found if name.startswith("skdense")}


NAMED = {
    "early stopping": KerasDenseClassifier(early_stopping=True, warm_start=True),
    "numbers": KerasDenseRegressor(optimizer=keras.optimizers.SGD(0.1), activation=doubled),
    "stages": KerasTabularClassifier(n_estimators=2, units=5),
}


@pytest.mark.slow
@pytest.mark.parametrize("network", NAMED.values(), ids=NAMED)
def test_pickles_name_nothing_of_ours_but_the_estimators_class(network):
    target = X[:, 0] if isinstance(network, KerasDenseRegressor) else y
    network = clone(network).set_params(epochs=2, random_state=0)
    kind = f"{type(network).__module__}.{type(network).__name__}"
    assert names_in(network) == {kind}
    assert names_in(network.fit(X, target)) == {kind}
    assert kind in skdense.skops_trusted_types
    twin = through_pickle(network)
    assert_array_equal(twin.predict(X), network.predict(X))
    assert_array_equal(twin.fit(X, target).predict(X), network.fit(X, target).predict(X))


def test_plain_data_builds_no_object_that_could_run_code():
    # What skops lets through is plain data, which anybody may have written.
    state = KerasDenseClassifier(optimizer=keras.optimizers.SGD(0.1)).__getstate__()
    stored = state["_stored"]["optimizer"]
    assert type(stored) is dict
    layer = {"class_name": "Lambda", "module": "keras.layers", "registered_name": None}
    stored["config"] = json.dumps(layer | {"config": {"function": "anything"}})
    with pytest.raises(ValueError, match="not built from files"):
        KerasDenseClassifier().__setstate__(state)


DEEP = 100_000


def nested():
    value = []
    for _ in range(DEEP):
        value = [value]
    return value


@pytest.mark.parametrize("place", ["parameter", "configuration", "optimizer", "fitted"])
def test_a_hostile_state_that_nests_without_end_is_refused(place):
    state = KerasDenseClassifier(optimizer=keras.optimizers.SGD(0.1)).__getstate__()
    if place == "configuration":
        state["_stored"]["optimizer"]["config"] = "[" * DEEP + "]" * DEEP
    elif place == "fitted":
        state["_fitted"] = nested()
    else:
        state["_stored"]["optimizer" if place == "optimizer" else "units"] = nested()
    with pytest.raises(ValueError, match="nests deeper than Python's recursion limit"):
        KerasDenseClassifier().__setstate__(state)


def test_a_skops_file_with_a_hostile_configuration_is_refused(tmp_path):
    skops_io = pytest.importorskip("skops.io")
    content = skops_io.dumps(KerasDenseClassifier(optimizer=keras.optimizers.SGD(0.1)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read("schema.json"))

    def replace_config(node):
        if isinstance(node, dict):
            if isinstance(node.get("config"), dict) and "content" in node["config"]:
                node["config"]["content"] = json.dumps("[" * DEEP + "]" * DEEP)
            return sum(map(replace_config, node.values())) + ("config" in node)
        return 0

    assert replace_config(schema) == 1
    with zipfile.ZipFile(tmp_path / "network.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    with pytest.raises(ValueError, match="nests deeper than Python's recursion limit"):
        skops_io.load(tmp_path / "network.skops", trusted=skdense.skops_trusted_types)


def test_an_unfitted_estimator_keeps_its_keras_objects():
    network = KerasDenseRegressor(loss=keras.losses.Huber(delta=3.0), epochs=2, random_state=0)
    twin = through_pickle(through_pickle(network))
    assert isinstance(twin.loss, keras.losses.Huber)
    values = 10 * X[:, 0]
    assert_array_equal(twin.fit(X, values).predict(X), network.fit(X, values).predict(X))


@pytest.mark.slow
def test_unpickling_loads_no_tensorflow(tmp_path):
    parameters = {name: make() for name, make in KERAS_OBJECTS.items() if name != "activation"}
    parameters |= {"activation": keras.activations.gelu, "metrics": keras.losses.cosine_similarity}
    network = KerasDenseClassifier(units=5, epochs=2, random_state=0, **parameters).fit(X, y)
    (tmp_path / "network.pkl").write_bytes(pickle.dumps(network))
    np.save(tmp_path / "X.npy", X)
    code = """
import pickle, sys, numpy as np
folder = sys.argv[1]
network = pickle.load(open(folder + "/network.pkl", "rb"))
answers = network.predict_proba(np.load(folder + "/X.npy"))
np.save(folder + "/answers.npy", answers)
assert not {"tensorflow", "keras"} & set(sys.modules)
print(type(network.optimizer).__name__, network.callbacks[0].__class__.__name__)
import keras
assert network.activation is keras.activations.gelu
"""
    assert in_process(code, tmp_path).split() == ["SGD", "TerminateOnNaN"]
    assert_array_equal(np.load(tmp_path / "answers.npy"), network.predict_proba(X))


@pytest.mark.slow
@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_functions_without_a_name_go_along_by_value(dumps):
    def tripled(x):
        return 3 * keras.ops.tanh(x)

    network = KerasDenseRegressor(
        units=5, activation=tripled, output_activation=lambda x: x, epochs=2, random_state=0,
        loss=tripled_error, warm_start=True,
    ).fit(X, X[:, 0])  # fmt: skip
    twin = pickle.loads(dumps(network))  # noqa: S301 - our own
    assert_array_equal(twin.predict(X), network.predict(X))
    # Going on needs the same function in the parameters as in the network.
    assert_array_equal(twin.fit(X, X[:, 0]).predict(X), network.fit(X, X[:, 0]).predict(X))


def tripled_error(y_true, y_pred):
    return 3 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def test_functions_with_a_name_go_along_by_name():
    twin = through_pickle(KerasDenseRegressor(activation=doubled))
    assert twin.activation is doubled


class Locked:
    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, x):
        return x


def test_what_cannot_be_pickled_is_named():
    network = KerasDenseRegressor(units=3, activation=Locked(), epochs=1).fit(X, X[:, 0])
    with pytest.raises(pickle.PicklingError, match="activation must be something that pickles"):
        pickle.dumps(network)
    assert network.predict(X).shape == (60,)


def test_copies_share_nothing_and_everything():
    network = KerasDenseRegressor(units=3, callbacks=[Counting()], epochs=1).fit(X, X[:, 0])
    shallow, deep = copy.copy(network), copy.deepcopy(network)
    assert shallow.callbacks is network.callbacks
    assert deep.callbacks[0] is not network.callbacks[0]
    assert_array_equal(deep.predict(X), network.predict(X))
    assert shallow.set_params(units=4).units == 4
    assert network.units == 3


class Counting(keras.callbacks.Callback):
    pass


def test_attributes_that_are_not_there_stay_so():
    twin = through_pickle(KerasDenseClassifier(optimizer=keras.optimizers.Adam()))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = twin.nonsense
    with pytest.raises(NotFittedError):
        _ = twin.coefs_
    assert not hasattr(twin, "_fitted")


def test_threads_read_one_object():
    twin = through_pickle(KerasDenseClassifier(optimizer=keras.optimizers.Adam()))
    found = []
    threads = [threading.Thread(target=lambda: found.append(twin.optimizer)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(optimizer) for optimizer in found}) == 1


@pytest.mark.slow
def test_spawned_workers_predict_the_same():
    network = KerasDenseClassifier(units=4, epochs=1, optimizer=keras.optimizers.Adam()).fit(X, y)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert_array_equal(pool.apply(network.predict_proba, (X,)), network.predict_proba(X))
