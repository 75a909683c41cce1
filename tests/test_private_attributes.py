"""Private attributes of others: they are what they were, and there are no more of them."""

import ast
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import skdense
from skdense import KerasDenseRegressor
from skdense._backend import private_attributes
from skdense._backend.loading import load_tensorflow

PACKAGE = Path(skdense.__file__).parent
# Documented, though their names look private.
PUBLIC = {"_getframe", "_replace"}


def tree_of(path):
    return list(ast.walk(ast.parse(path.read_text())))


def private_names(path):
    """Yield names with one underscore that are looked up on anything, by dots or as text."""
    for node in tree_of(path):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call):
            texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
            looks_up = isinstance(node.func, ast.Name) and node.func.id in {"getattr", "hasattr"}
            gets = isinstance(node.func, ast.Attribute) and node.func.attr in {"get", "pop"}
            yield from (text for text in texts if isinstance(text, str) and (looks_up or gets))


def own_names():
    """Return all names that this package gives to something."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        for node in tree_of(path):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names |= {node.attr} if getattr(node.value, "id", "") in {"self", "cls"} else set()
    return names


def test_no_other_module_reads_private_attributes_of_others():
    of_older_files = {"_weights", "_network", "_target", "_memory", "_labels", "_class_weights"}
    own = own_names() | PUBLIC | of_older_files | {"_fit_parameters"}
    place = Path(private_attributes.__file__)
    for path in PACKAGE.rglob("*.py"):
        found = {n for n in private_names(path) if n.startswith("_") and not n.startswith("__")}
        assert path == place or not found - own, f"{path.name}: {sorted(found - own)}"


def test_losses_keep_what_their_configuration_leaves_out():
    loss = keras.losses.Huber(delta=0.3)
    kept = private_attributes.arguments_beside_configuration(loss)
    assert kept.get("delta", loss.get_config().get("delta")) == 0.3
    assert (
        private_attributes.arguments_beside_configuration(object.__new__(type("Own", (), {}))) == {}
    )


@pytest.mark.parametrize("is_fast", [True, False])
def test_sessions_are_called_fast_and_otherwise_alike(is_fast):
    tf = load_tensorflow()
    with tf.Graph().as_default() as graph:
        x, y = (tf.compat.v1.placeholder(tf.float32, [2], name) for name in "xy")
        names = [tensor.name for tensor in (x - y, x * y)]
    with tf.compat.v1.Session(graph=graph) as session:
        assert hasattr(session, "_make_callable_from_options")
        call = private_attributes.make_session_call(session, ["x:0", "y:0"], names, is_fast=is_fast)
        for _ in range(2):
            difference, product = call(np.float32([5, 7]), np.float32([2, 3]))
            assert_array_equal(difference, [3, 4])
            assert_array_equal(product, [10, 21])


@pytest.mark.parametrize(("batches", "traces"), [(0, False), (2, True), ((2, 4), True)])
def test_tensorboard_tells_whether_it_profiles(batches, traces, tmp_path):
    callback = keras.callbacks.TensorBoard(tmp_path, profile_batch=batches)
    assert private_attributes.traces_batches(callback) is traces


def test_keras_begins_with_the_epoch_left_on_its_model():
    class LeavesEpoch(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.epochs = []

        def on_train_begin(self, logs=None):
            restored = type("Model", (), {"_initial_epoch": 3})()
            private_attributes.follow_initial_epoch(self.model, restored)

        def on_epoch_begin(self, epoch, logs=None):
            self.epochs.append(epoch)

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    callback = LeavesEpoch()
    model.fit(np.ones((4, 1)), np.ones(4), epochs=5, verbose=0, callbacks=[callback])
    assert callback.epochs == [3, 4]


def test_scikit_learn_tells_of_its_callbacks():
    estimator = KerasDenseRegressor()
    assert not private_attributes.has_callbacks(estimator)
    has_them = find_spec("sklearn.callback") is not None  # from release 1.9 on
    assert (private_attributes.begin_callbacks(estimator, 3) is not None) == has_them
    if has_them:
        from sklearn.callback import ProgressBar

        assert private_attributes.has_callbacks(estimator.set_callbacks(ProgressBar()))
