"""Files of estimators: what they keep, how they are written, and what nobody can make them do."""

import contextlib
import dataclasses
import io
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

import skdense
from skdense import (
    KerasDenseClassifier,
    KerasDenseRegressor,
    KerasTabularClassifier,
    KerasTabularRegressor,
)
from skdense._files import values
from skdense._files.upgrades import FORMAT
from skdense._problem.fitted import Fitted

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4))
NUMBERS = X[:, 0]
CODES = np.arange(60) % 3
SETTINGS = {"units": 5, "epochs": 3, "random_state": 0}
SETTINGS |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
TARGETS = {
    "texts": (KerasDenseClassifier, np.array(list("abc"))[CODES]),
    "objects": (KerasDenseClassifier, np.array(list("abc"), object)[CODES]),
    "integers": (KerasDenseClassifier, CODES * 7),
    "floats": (KerasDenseClassifier, CODES.astype(float)),
    "booleans": (KerasDenseClassifier, CODES > 0),
    "labels": (KerasDenseClassifier, np.c_[CODES > 0, CODES > 1].astype(int)),
    "numbers": (KerasDenseRegressor, NUMBERS),
    "columns": (KerasDenseRegressor, np.c_[NUMBERS, 100 * NUMBERS]),
}
PARAMETERS = {
    "plain": {},
    "layers": {"units": (6, 4), "activation": ("tanh", "gelu"), "dropout": (0.1, 0.0)},
    "normalized": {"batch_normalization": True, "l1": 0.01, "l2": 0.01},
    "watched": {"early_stopping": True, "validation_fraction": 0.2, "patience": 1},
    "seeded": {"random_state": np.random.RandomState(3)},
    "keras": {
        "optimizer": keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 20)),
        "activation": keras.layers.LeakyReLU(negative_slope=0.3),
        "kernel_initializer": keras.initializers.HeNormal(seed=3),
    },
}


def fitted(kind=KerasDenseClassifier, y=TARGETS["texts"][1], **parameters):
    return kind(**{**SETTINGS, **parameters}).fit(X, y)


def answers(estimator):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.skdense"


@pytest.fixture
def saved(path):
    fitted().save(path)
    return path


# --- what is kept ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_every_kind_of_target_predicts_the_same_bits(target, path):
    kind, y = TARGETS[target]
    network = fitted(kind, y)
    network.save(path)
    twin = skdense.load(str(path))
    assert type(twin) is kind
    assert_array_equal(answers(twin), answers(network))
    assert_array_equal(twin.predict(X), network.predict(X))
    assert twin.predict(X).dtype == network.predict(X).dtype
    assert twin.history_ == network.history_
    if kind is KerasDenseClassifier:
        assert_array_equal(twin.classes_, network.classes_)
        assert twin.classes_.dtype == network.classes_.dtype
    assert vars(twin).keys() == vars(network).keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_come_back_and_training_goes_on(name, path):
    network = fitted(warm_start=True, **PARAMETERS[name])
    network.save(path)
    twin = skdense.load(path)
    assert repr(twin.get_params().keys()) == repr(network.get_params().keys())
    before, after = network.get_params(), twin.get_params()
    plain = [key for key, value in before.items() if isinstance(value, int | float | str | tuple)]
    assert {key: after[key] for key in plain} == {key: before[key] for key in plain}
    y = TARGETS["texts"][1]
    assert_array_equal(answers(twin.fit(X, y)), answers(network.fit(X, y)))
    assert twin.history_ == network.history_
    assert twin.n_iter_ > 3


EVERY = {
    "units": (6, 4), "depth": 2, "activation": "gelu", "dropout": (0.1, 0.0),
    "batch_normalization": True, "n_estimators": 2, "kernel_initializer": "he_normal",
    "l1": 0.1, "l2": 0.2,
    "output_activation": "softmax", "loss": "mse", "quantiles": (0.1, 0.9),
    "metrics": ["accuracy", "mae"],
    "optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0.01,
    "learning_rate_schedule": "cosine", "input_scaling": "robust",
    "numeric_embedding": "periodic", "embedding_units": 4, "n_bins": 6, "learned_scale": True,
    "calibration": "temperature", "clipnorm": 1.5,
    "batch_size": 7, "epochs": 3, "shuffle": False, "early_stopping": True,
    "validation_fraction": 0.25, "scoring": "accuracy", "patience": 3, "min_delta": 0.25,
    "refit_full": True, "standardize_target": False, "class_weight": {"a": 2.0, 3: np.float32(1)},
    "warm_start": True, "dtype": "float64", "verbose": 2, "random_state": 5, "engine": "keras",
}  # fmt: skip


# What is their default already.
OF_TABLES = EVERY | {
    "activation": "tanh", "kernel_initializer": "ones", "input_scaling": None,
    "learned_scale": False, "early_stopping": False, "calibration": None,
    "categorical_features": ["a", 2], "min_frequency": 0.25, "max_categories": 7,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "every"),
    [
        (KerasDenseClassifier, EVERY),
        (KerasDenseRegressor, EVERY),
        (KerasTabularClassifier, OF_TABLES),
        (KerasTabularRegressor, OF_TABLES),
    ],
)
def test_every_parameter_comes_back(kind, every, path):
    defaults = kind().get_params()
    assert every.keys() | {"callbacks"} >= defaults.keys()  # those are refused, see below
    given = {name: value for name, value in every.items() if name in defaults}
    assert all(repr(value) != repr(defaults[name]) for name, value in given.items())
    network = kind(**given)
    network.save(path)
    pickled = pickle.loads(pickle.dumps(network))  # noqa: S301 - our own
    for twin in (skdense.load(path), pickled):
        after = {name: twin.get_params()[name] for name in given}
        assert after == given
        assert repr(after) == repr(given)  # of the same types


def test_a_stream_goes_on(path):
    network = KerasDenseRegressor(units=4, random_state=0).partial_fit(X, NUMBERS)
    network.save(path)
    twin = skdense.load(path)
    assert_array_equal(
        answers(twin.partial_fit(X, NUMBERS)), answers(network.partial_fit(X, NUMBERS))
    )


def test_names_of_features_are_kept(path):
    table = pd.DataFrame(X, columns=list("pqrs"))
    KerasDenseRegressor(**SETTINGS).fit(table, NUMBERS).save(path)
    twin = skdense.load(path)
    assert list(twin.feature_names_in_) == list("pqrs")
    twin.predict(table)
    with pytest.raises(ValueError, match="feature names"):
        twin.predict(table.rename(columns={"p": "other"}))


def test_an_unfitted_estimator_is_kept_as_such(path):
    KerasDenseClassifier(units=(7, 3), class_weight={"a": 2.0, 3: 1.5}).save(path)
    twin = skdense.load(path)
    assert (twin.units, twin.class_weight) == ((7, 3), {"a": 2.0, 3: 1.5})
    with pytest.raises(NotFittedError):
        twin.predict(X)


def test_files_are_small_and_readable(saved):
    n_bytes = sum(kernel.nbytes for kernel in skdense.load(saved).coefs_)
    assert saved.stat().st_size < 1.1 * n_bytes + 20_000
    arrays = np.load(saved)  # as any reader of NumPy's archives
    assert arrays["arrays/0"].dtype in (np.float32, np.float64, "<U1")
    with zipfile.ZipFile(saved) as archive:
        assert archive.namelist()[0] == "skdense.json"
        text = archive.read("skdense.json").decode()
    assert text.startswith('{\n "format": 2,')
    assert json.loads(text)["libraries"].keys() >= {"skdense", "tensorflow", "numpy"}


def test_equal_estimators_make_equal_files(saved, tmp_path):
    other = tmp_path / "other"
    skdense.load(saved).save(other)
    assert other.read_bytes() == saved.read_bytes()


@pytest.mark.slow
def test_loading_and_predicting_need_no_tensorflow(path, tmp_path):
    network = fitted(optimizer=keras.optimizers.Adam(), kernel_initializer="he_normal")
    network.save(path)
    np.save(tmp_path / "X.npy", X)
    code = """
import sys, numpy as np
sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing them raises
import skdense
network = skdense.load(sys.argv[1] + "/network.skdense")
np.save(sys.argv[1] + "/answers.npy", network.predict_proba(np.load(sys.argv[1] + "/X.npy")))
network.save(sys.argv[1] + "/again.skdense")
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert_array_equal(np.load(tmp_path / "answers.npy"), answers(network))
    again = skdense.load(tmp_path / "again.skdense")
    assert_array_equal(answers(again), answers(network))
    assert isinstance(again.optimizer, keras.optimizers.Adam)


@pytest.mark.parametrize("number", [1, 2])
def test_files_of_every_format_keep_loading(number, path):
    """Written when the format was new: classes "a", "b" and "c", with probabilities of two rows."""
    folder = Path(__file__).parent / "data"
    network = skdense.load(folder / f"format_{number}.skdense")
    rows = np.float32([[0.5, -1.0, 0.25, 2.0], [0.0, 0.0, 0.0, 0.0]])
    expected = json.loads((folder / f"format_{number}.json").read_text())
    np.testing.assert_allclose(network.predict_proba(rows), expected["probabilities"], rtol=1e-5)
    assert network.get_params()["units"] == [5, 3]
    assert network.optimizer.get_config()["beta_1"] == pytest.approx(0.8)
    assert network.history_.keys() == {"loss", "val_loss"}
    assert network.n_iter_ == len(network.history_["loss"])
    network.save(path)  # in today's format
    assert_array_equal(skdense.load(path).predict_proba(rows), network.predict_proba(rows))


def test_unfitted_estimators_of_the_first_format_keep_loading(path):
    KerasDenseClassifier(units=7).save(path)
    document, arrays = contents(path)
    write(path, document | {"format": 1, "fitted": {}}, arrays)
    assert skdense.load(path).units == 7
    assert not hasattr(skdense.load(path), "classes_")


def test_a_record_may_get_a_field_that_older_files_lack(saved, monkeypatch):
    added = [("note", str, dataclasses.field(default="none"))]
    kind = dataclasses.make_dataclass("Fitted", added, bases=(Fitted,), frozen=True, eq=False)
    expected = answers(skdense.load(saved))
    monkeypatch.setitem(values._RECORDS, "Fitted", kind)
    network = skdense.load(saved)
    assert network._fitted.note == "none"
    assert_array_equal(answers(network), expected)
    network._fitted = dataclasses.replace(network._fitted, note="a new one")
    network.save(saved)
    assert skdense.load(saved)._fitted.note == "a new one"


def test_a_field_without_a_default_must_be_there(saved):
    document, arrays = contents(saved)
    del document["fitted"]["Fitted"]["engine"]
    write(saved, document, arrays)
    refused(saved, "Fitted of")


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activation", np.tanh),
        ("loss", lambda y_true, y_pred: y_true - y_pred),
        ("metrics", ["accuracy", np.abs]),
        ("scoring", lambda estimator, X, y: 0.0),
        ("callbacks", [keras.callbacks.TerminateOnNaN()]),
        ("activation", keras.layers.Lambda(lambda x: x)),
        ("kernel_initializer", type("Own", (keras.initializers.Zeros,), {})()),
    ],
)
def test_functions_are_refused_by_name(name, value, path):
    with pytest.raises(TypeError, match=rf"no functions.*Got {name}="):
        KerasDenseClassifier(**{name: value}).save(path)
    assert not list(path.parent.iterdir())


def test_classes_of_the_user_are_refused(path):
    own = type("Own", (KerasDenseRegressor,), {"__module__": "elsewhere"})
    with pytest.raises(TypeError, match="Got an estimator of the class Own"):
        own().save(path)


# --- writing -----------------------------------------------------------------------------


class FullDisk:
    """A file to which only so many writes succeed."""

    def __init__(self, file, n_writes):
        self._file, self._left = file, n_writes

    def write(self, data):
        self._left -= 1
        if self._left < 0:
            raise OSError(28, "No space left on device")
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)


def test_a_failing_write_leaves_the_old_file(saved, monkeypatch):
    before, other = saved.read_bytes(), fitted(random_state=1)
    opened, n_writes, failures = Path.open, 0, 0
    while saved.read_bytes() == before:
        monkeypatch.setattr(
            Path, "open", lambda *args, n=n_writes, **kwargs: FullDisk(opened(*args, **kwargs), n)
        )
        try:
            other.save(saved)
        except OSError as error:
            assert "No space left" in str(error)  # noqa: PT017 - the last save succeeds
            failures += 1
        monkeypatch.undo()
        assert [file.name for file in saved.parent.iterdir()] == [saved.name]
        n_writes += 1
    assert failures > 10
    assert_array_equal(answers(skdense.load(saved)), answers(other))


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_crash_before_the_end_leaves_the_old_file(function, saved, monkeypatch):
    before = saved.read_bytes()

    def crash(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os if function == "fsync" else Path, function, crash)
    with pytest.raises(KeyboardInterrupt):
        fitted(random_state=1).save(saved)
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        KerasDenseRegressor().save(tmp_path / "missing" / "network")
    with pytest.raises(FileNotFoundError):
        skdense.load(tmp_path / "missing")


# --- damaged and malicious files ---------------------------------------------------------


def refused(path, match="load needs a whole file"):
    with pytest.raises(ValueError, match=match):
        skdense.load(path)


def loaded_unless_refused(path):
    """Return the estimator, or None if the file is refused by the one message for that."""
    try:
        return skdense.load(path)
    except ValueError as error:
        assert "load needs a whole file" in str(error)  # noqa: PT017 - not all are refused
        return None


def mutations(content, n):
    """Flip, cut, repeat and exchange bytes."""
    rng = np.random.default_rng(0)
    for number in range(n):
        data = bytearray(content)
        start, stop = sorted(rng.integers(len(data), size=2))
        match number % 5:
            case 0:
                data[start] ^= 1 << rng.integers(8)
            case 1:
                data = data[:start]
            case 2:
                del data[start:stop]
            case 3:
                data[start:stop] = data[start:stop][::-1]
            case 4:
                data[start : start + 8] = rng.bytes(8)
        yield bytes(data)


@pytest.mark.slow
def test_damage_is_noticed_or_harmless(saved):
    expected, content = answers(skdense.load(saved)), saved.read_bytes()
    n_refused = 0
    for damaged in mutations(content, 3_000):
        saved.write_bytes(damaged)
        network = loaded_unless_refused(saved)
        if network is None:
            n_refused += 1
        else:
            assert_array_equal(answers(network), expected)
    assert n_refused > 2_500


@pytest.mark.slow
def test_a_document_that_is_changed_on_purpose_is_refused_or_predicts(saved):
    """Every part of the document replaced by something else, with sums that are right."""
    document, arrays = contents(saved)
    n_refused = 0
    for place in list(places(document["fitted"])):
        for value in (None, -1, 10**30, "x", [], {}, {"array": 0}, {"tuple": []}, True, 0.5):
            changed = json.loads(json.dumps(document))
            put(changed["fitted"], place, value)
            write(saved, changed, arrays)
            network = loaded_unless_refused(saved)
            if network is None:
                n_refused += 1
            else:
                assert network.predict(X).shape == (60,)
    assert n_refused > 100


def places(tree, path=()):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def put(tree, place, value):
    for key in place[:-1]:
        tree = tree[key]
    tree[place[-1]] = value


def contents(path):
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return json.loads(archive.read(names[0])), [archive.read(name) for name in names[1:]]


def write(path, document, arrays, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        text = document if isinstance(document, bytes) else json.dumps(document)
        archive.writestr("skdense.json", text)
        for number, array in enumerate(arrays):
            archive.writestr(f"arrays/{number}.npy", array)


def npy(array, **header):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def test_newer_formats_ask_for_an_upgrade(saved):
    document, arrays = contents(saved)
    write(saved, document | {"format": 3}, arrays)
    refused(saved, "format 3, and this release reads up to 2; upgrade skdense")


@pytest.mark.parametrize("number", [None, 0, "1", True, 1.0, [1]])
def test_formats_are_whole_numbers(number, saved):
    document, arrays = contents(saved)
    write(saved, document | {"format": number}, arrays)
    refused(saved, "does not tell the number of its format")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", pickle.dumps({"a": 1})])
def test_foreign_files_are_refused(content, path):
    path.write_bytes(content)
    refused(path)


def test_other_archives_are_refused(path):
    np.savez(path.with_suffix(".npz"), X=X)
    refused(path.with_suffix(".npz"), "its parts are not skdense.json and numbered arrays")


class Harm:
    def __reduce__(self):
        return print, ("executed",)


def test_pickled_arrays_are_not_read(saved, capsys):
    document, arrays = contents(saved)
    arrays[0] = npy(np.array([Harm()], object))
    write(saved, document, arrays)
    refused(saved, "an array is of object")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "shape", ["(1000000000000,)", "(-1,)", "(2, -3)", "(9999999999999, 999999)"]
)
def test_headers_that_claim_too_much_allocate_nothing(shape, saved):
    document, arrays = contents(saved)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    text = header.ljust(117) + "\n"
    arrays[0] = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(64)
    write(saved, document, arrays)
    refused(saved, "not as long as it says")


def test_compressed_files_are_refused(saved):
    document, arrays = contents(saved)
    write(saved, document, [bytes(10**7), *arrays[1:]], zipfile.ZIP_DEFLATED)
    refused(saved, "compressed or encrypted")


@pytest.mark.parametrize("name", ["../evil.npy", "/tmp/evil.npy", "arrays/77.npy", "skdense.json"])  # noqa: S108
def test_parts_of_other_names_are_refused(name, saved):
    with (
        zipfile.ZipFile(saved, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate")
        if (name == "skdense.json")
        else contextlib.nullcontext(),
    ):
        archive.writestr(name, b"")
    refused(saved, "its parts are not")


LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
    "registered_name": None,
}


@pytest.mark.parametrize(
    "serialized",
    [
        LAMBDA,
        {"module": "builtins", "class_name": "eval", "config": {}, "registered_name": None},
        {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": LAMBDA}},
        {"class_name": "Adam", "config": {}},
        {"module": "os", "class_name": "system", "config": "echo executed"},
    ],
)
def test_only_harmless_objects_of_keras_are_built(serialized, saved, capfd):
    document, arrays = contents(saved)
    document["parameters"]["optimizer"] = {"KerasObject": json.dumps(serialized)}
    write(saved, document, arrays)
    refused(saved, "an object of Keras that is not built from files")
    assert "executed" not in capfd.readouterr().out


def test_other_parameters_and_attributes_are_refused(saved):
    document, arrays = contents(saved)
    write(saved, document | {"parameters": {"nonsense": 1}}, arrays)
    refused(saved, "nonsense")
    document["fitted"]["Fitted"]["predict"] = 1
    write(saved, document, arrays)
    refused(saved, "predict")


def test_nesting_without_end_is_refused(saved):
    document, arrays = contents(saved)
    text = json.dumps(document).replace('"l1": 0.0', f'"l1": {"[" * 100_000}{"]" * 100_000}')
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("skdense.json", text)
        for number, array in enumerate(arrays):
            archive.writestr(f"arrays/{number}.npy", array)
    refused(saved)


# Places in the document of the file `whole`, and what none of them can hold.
FITTED = ("fitted", "Fitted")
STATE = (*FITTED, "states", "tuple", 0, "TrainingState")
OPTIMIZER, STOPPING = (*STATE, "optimizer", "OptimizerState"), (*STATE, "stopping", "EarlyStopping")
TARGET = (*FITTED, "target", "ClassTarget")
NETWORK = (*FITTED, "network", "Network")
IMPOSSIBLE = [
    (("parameters", "batch_size"), 0),
    (("parameters", "epochs"), "x"),
    (("parameters", "units"), {"tuple": [3, 0]}),
    (("parameters", "depth"), -1),
    (("parameters", "dropout"), {"tuple": [0.1]}),
    (("parameters", "optimizer"), 3),
    (("parameters", "scoring"), "none such"),
    (("parameters", "callbacks"), [1]),
    (("parameters", "metrics"), [1]),
    (("parameters", "class_weight"), {"dict": [["a", "x"]]}),
    ((*FITTED, "batch_size"), 0),
    ((*FITTED, "seed"), -1),
    ((*FITTED, "dtype"), "float16"),
    ((*FITTED, "mean_weight"), 0.0),
    ((*FITTED, "mean_weight"), {"float": "nan"}),
    ((*FITTED, "members"), {"tuple": []}),
    ((*FITTED, "states", "tuple"), [None]),
    ((*STATE, "n_epochs"), 10**30),
    ((*STATE, "n_epochs"), 99),
    ((*STATE, "weights", "tuple", 0), {"dict": []}),
    ((*STATE, "weights", "tuple", 0, "dict", 0, 1), None),
    ((*OPTIMIZER, "n_steps"), -1),
    ((*OPTIMIZER, "owner"), {"tuple": ["compiled"]}),
    ((*OPTIMIZER, "slots"), []),
    ((*OPTIMIZER, "slots", 0), {"tuple": []}),
    ((*OPTIMIZER, "slots", 0, "tuple", 0), None),
    ((*OPTIMIZER, "slots", 0, "tuple", 0), {"array": 0}),
    ((*STOPPING, "best_epoch"), 99),
    ((*STOPPING, "patience"), 0),
    ((*STOPPING, "best_score"), None),
    ((*STATE, "stopping"), None),
    ((*TARGET, "link"), "unknown"),
    ((*TARGET, "is_sparse"), False),
    ((*TARGET, "n_units"), 1),
    ((*FITTED, "history"), {"dict": [["val_loss", [1.0, 1.0, 1.0]]]}),
    ((*FITTED, "history"), {"dict": [["loss", [1.0, 1.0, 1.0]], ["loss", [1.0, 1.0, 1.0]]]}),
    ((*FITTED, "mean_weight"), {"number": 0}),
    ((*FITTED, "best_epoch"), 99),
    ((*FITTED, "engine"), "other"),
    ((*FITTED, "validation_indices"), {"tuple": []}),
    ((*FITTED, "class_weights"), 1.0),
    ((*FITTED, "parameters"), {"dict": []}),
    ((*FITTED, "parameters", "dict", 4, 1), "x"),
    ((*NETWORK, "stages", "tuple", 0), {"Activation": {"function": "relu"}}),
    ((*NETWORK, "stages", "tuple", 1), {"Activation": {"function": "glu"}}),
    ((*NETWORK, "stages", "tuple", 1), {"Dropout": {"rate": 2.0}}),
    ((*NETWORK, "stages", "tuple", 1), {"Normalization": {"n_units": 9}}),
    ((*NETWORK, "output", "Activation", "function"), "tanh"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file with as much in it as can be, of an estimator that `partial_fit` can train on."""
    path = tmp_path_factory.mktemp("whole") / "network.skdense"
    watched = {"early_stopping": True, "validation_fraction": 0.25, "warm_start": True}
    seeded = {"random_state": np.random.RandomState(3), "class_weight": {"a": 2.0, "b": 1.0}}
    network = fitted(**watched, **seeded)
    network.set_params(early_stopping=False, validation_fraction=None).save(path)
    return path


@pytest.mark.parametrize(
    ("place", "value"),
    IMPOSSIBLE,
    ids=[f"{place[-1]}-{number}" for number, (place, _) in enumerate(IMPOSSIBLE)],
)
def test_what_no_estimator_can_hold_is_refused(place, value, whole, path):
    document, arrays = contents(whole)
    put(document, place, value)
    write(path, document, arrays)
    refused(path)


def test_files_that_hold_as_much_as_can_be_load(whole, path):
    works_all_through(skdense.load(whole), path)


def with_arrays(path, replacements):
    """Return a document and its arrays, with others where the document has these places."""
    document, arrays = contents(path)
    for place, array in replacements:
        number = document
        for key in place:
            number = number[key]
        arrays[number["array"]] = npy(array)
    return document, arrays


MEMBER = (*FITTED, "members", "tuple", 0)
KERNEL, SLOT = (*MEMBER, "tuple", 0, "dict", 0, 1), (*OPTIMIZER, "slots", 0, "tuple")
KEY = ("parameters", "random_state", "RandomState", "tuple", 1)


@pytest.mark.parametrize(
    ("place", "array"),
    [
        (KERNEL, np.full((4, 5), np.nan)),
        (KERNEL, np.full((4, 5), np.inf)),
        (KERNEL, np.zeros((4, 5), np.float16)),
        (KERNEL, np.zeros((4, 5), ">f4")),
        (KERNEL, np.zeros((5, 4))),
        ((*SLOT, 0), np.full((4, 5), np.nan)),
        ((*SLOT, 0), np.zeros((4, 4))),
        ((*SLOT, 1), np.full((4, 5), -1.0)),
        ((*FITTED, "class_weights"), np.full((1, 3), -1.0)),
        ((*FITTED, "class_weights"), np.ones((3, 1))),
        ((*FITTED, "validation_indices"), np.zeros(3)),
        (KEY, np.zeros(624, np.uint32)),
        (KEY, np.ones(5, np.uint32)),
        (KEY, np.ones(624)),
    ],
)
def test_arrays_that_no_estimator_can_hold_are_refused(place, array, whole, path):
    write(path, *with_arrays(whole, [(place, array)]))
    refused(path)


@pytest.mark.parametrize(
    "classes", [[0, 0, 0], [2, 1, 0], [0.5, 1, 2], [1j, 2, 3], [0, 1], [0, 1, 2, 3]]
)
def test_classes_are_sorted_distinct_and_as_many_as_there_are(classes, whole, path):
    place = (*FITTED, "labels", "Labels", "values")
    write(path, *with_arrays(whole, [(place, np.array(classes))]))
    refused(path)


@pytest.mark.parametrize(
    ("number", "value"),
    [(0, "PCG64"), (2, -1), (2, 625), (2, 10**6), (2, 2**31), (3, 2), (4, {"float": "nan"})],
)
def test_random_states_out_of_their_range_are_refused(number, value, whole, path):
    document, arrays = contents(whole)
    document["parameters"]["random_state"]["RandomState"]["tuple"][number] = value
    write(path, document, arrays)
    refused(path)


@pytest.mark.parametrize(
    "keys",
    [
        [n * (2**61 - 1) for n in range(20)],
        [{"tuple": [n * (2**61 - 1)]} for n in range(20)],
        [float(2 ** (61 * n)) for n in range(16)],
    ],
    ids=["ints", "tuples", "floats"],
)
def test_keys_of_one_hash_are_refused(keys, saved):
    document, arrays = contents(saved)
    document["parameters"]["class_weight"] = {"dict": [[key, 1.0] for key in keys]}
    write(saved, document, arrays)
    refused(saved, "keys of one hash")


def test_keys_whose_hashes_meet_by_chance_are_kept(path):
    given = {-1: 1.0, -2: 2.0, **dict.fromkeys(range(1_000), 3.0)}
    KerasDenseClassifier(class_weight=given).save(path)
    assert skdense.load(path).class_weight == given


def test_a_depth_without_end_is_refused_before_it_takes_memory(saved):
    document, arrays = contents(saved)
    document["parameters"]["depth"] = 10**15
    write(saved, document, arrays)
    with pytest.raises(ValueError, match="depth"):
        skdense.load(saved)


@pytest.mark.parametrize("bit", range(8))
def test_no_flipped_bit_in_the_header_of_an_array_escapes(bit, saved):
    document, arrays = contents(saved)
    n_refused = 0
    for place in range(128):
        header = bytearray(arrays[0])
        header[place] ^= 1 << bit
        write(saved, document, [bytes(header), *arrays[1:]])
        n_refused += loaded_unless_refused(saved) is None
    assert n_refused > 20  # most of the header is blanks


@pytest.mark.parametrize("shape", ["(" * 400, "'" * 3, "1_", "0777", "(3,)\\\n  \t  (", "9" * 500])
def test_headers_of_no_sense_are_refused(shape, saved):
    document, arrays = contents(saved)
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}\n"
    arrays[0] = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(64)
    write(saved, document, arrays)
    refused(saved)


def test_booleans_are_true_or_false(path):
    fitted(y=CODES > 0).save(path)
    document, arrays = contents(path)
    number = document["fitted"]["Fitted"]["labels"]["Labels"]["values"]["array"]
    assert arrays[number].endswith(b"\x00\x01")
    arrays[number] = arrays[number][:-1] + b"\x05"
    write(path, document, arrays)
    refused(path, "a boolean is neither true nor false")


@pytest.mark.parametrize("name", ["__lambda__", "__typespec__", "__numpy__", "function", "get", 3])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_kinds_that_keras_treats_on_its_own_are_refused(name, depth, saved):
    part = {
        "module": "keras.losses",
        "class_name": name,
        "config": {"value": "4wEAAAA="},
        "spec_name": "x",
        "registered_name": None,
    }
    for _ in range(depth):
        config = {"anything": [part]}
        part = {"module": "keras.optimizers", "class_name": "Adam", "config": config}
    document, arrays = contents(saved)
    document["parameters"]["optimizer"] = {"KerasObject": json.dumps(part)}
    write(saved, document, arrays)
    refused(saved, "an object of Keras that is not built from files")


def test_objects_that_keras_cannot_build_are_named_when_they_are_read(saved):
    config = {"module": "keras.optimizers", "class_name": "Adam", "config": {"none_such": 1}}
    document, arrays = contents(saved)
    document["parameters"]["optimizer"] = {"KerasObject": json.dumps(config)}
    write(saved, document, arrays)
    network = skdense.load(saved)
    assert network.predict(X).shape == (60,)
    with pytest.raises(ValueError, match=r"optimizer must be what this release of Keras.*Got"):
        network.partial_fit(X, TARGETS["texts"][1])
    network.optimizer = "adam"
    network.partial_fit(X, TARGETS["texts"][1])


def works_all_through(network, path):
    """Predict, save, go on and convert.

    Unless parameters, which anybody may set, name what Keras does not know or contradict the
    network, or numbers that are possible diverge; the message says so.
    """
    y = TARGETS["texts"][1]
    assert network.predict(X).shape == (60,)
    network.save(path)
    skdense.load(path)
    try:
        network.partial_fit(X, y)
        if network.warm_start and network.epochs < 5:
            network.fit(X, y)
        network.to_keras()
    except ValueError as error:
        known = "must (be|name|keep|stay|agree)|parameters now contradict|needs output_activation"
        assert re.search(known, str(error)), error  # noqa: PT017 - most raise nothing


ODD = (None, True, 0, -1, 2, 10**30, 0.5, 1e308, "", "auto", "mse", "scores", [], {}, {"array": 0},
       {"float": "nan"}, {"tuple": []}, {"dict": []}, {"objects": [[1], ["a"]]})  # fmt: skip


def changed_files(path, n):
    """Flip bits of the document and of arrays, and exchange fields; sums are right."""
    rng = np.random.default_rng(0)
    document, arrays = contents(path)
    text = json.dumps(document).encode()
    fields = [place for place in places(document) if place[0] in ("fitted", "parameters")]
    for number in range(n):
        changed, own = json.loads(text), list(arrays)
        which = rng.integers(len(arrays))
        part = bytearray(text if number % 3 == 0 else arrays[which])
        part[rng.integers(len(part))] ^= 1 << rng.integers(8)
        match number % 3:
            case 0:
                changed = bytes(part)
            case 1:
                own[which] = bytes(part)
            case 2:
                put(changed, fields[rng.integers(len(fields))], ODD[rng.integers(len(ODD))])
        yield changed, own


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*(overflow|invalid value) encountered:RuntimeWarning")
def test_what_loads_works_all_through(whole, path):
    n_refused = 0
    for document, arrays in changed_files(whole, 210):
        write(path, document, arrays)
        network = loaded_unless_refused(path)
        if network is None:
            n_refused += 1
        else:
            works_all_through(network, path)
    assert 100 < n_refused < 210


def test_what_no_file_holds_is_shown_as_it_was_given(path):
    network = fitted(activation=keras.activations.relu).set_params(activation="relu")
    with pytest.raises(TypeError, match="Got activation=<function relu at"):
        network.save(path)


def test_what_would_not_load_is_not_saved(path):
    with pytest.raises(ValueError, match="'batch_size' parameter"):
        KerasDenseRegressor(batch_size=0).save(path)
    network = fitted()
    network._fitted.members[0][0]["kernel"] = np.full((4, 5), np.nan)
    with pytest.raises(ValueError, match="all that a finished fit leaves"):
        network.save(path)
    assert not path.exists()


def test_the_constants_are_what_the_documentation_says():
    assert FORMAT == 2
