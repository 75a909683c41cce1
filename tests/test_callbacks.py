"""Keras callbacks: by name on the compiled engine, against ``keras.Model.fit`` as their truth."""

import copy
import csv
import os
import pickle
import threading
import uuid
import warnings

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from skdense import KerasDenseClassifier, KerasDenseRegressor, SlowEngineWarning
from skdense._training.program import Program, trace_count

# Keras' callbacks turn TensorFlow's variables into arrays in a way that NumPy 2 warns about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)

callbacks = keras.callbacks

ROWS, STEPS = 64, 3  # a quarter of the rows is held out, the others are three batches of 16
RNG = np.random.default_rng(0)
X = RNG.standard_normal((ROWS, 3))
NUMBERS = 1000 + 50 * (X @ [2.0, -1.0, 0.5] + 0.5 * RNG.standard_normal(ROWS))
CLASSES = np.digitize(NUMBERS, np.quantile(NUMBERS, [1 / 3, 2 / 3]))
SMALL = {"units": 4, "depth": 1, "batch_size": 16, "epochs": 4, "learning_rate": 0.05}
SMALL |= {"validation_fraction": 0.25, "random_state": 0}
SMALL |= {"learning_rate_schedule": None, "l2": 0.0}  # every step as the one before
NUMBER_NETWORK = KerasDenseRegressor(**SMALL)
CLASS_NETWORK = KerasDenseClassifier(**SMALL, metrics="accuracy")
TARGETS = {KerasDenseRegressor: NUMBERS, KerasDenseClassifier: CLASSES}
ENGINES = ("compiled", "keras")

engines = pytest.mark.parametrize("engine", ENGINES)
networks = pytest.mark.parametrize("network", [NUMBER_NETWORK, CLASS_NETWORK], ids=["reg", "clf"])


def fitted(network, engine="compiled", **changes):
    network = clone(network).set_params(**{"engine": engine} | changes)
    return network.fit(X, TARGETS[type(network)])


def flat_weights(network):
    return [array for stage in network._fitted.members[0] for array in stage.values()]


def assert_same_training(one, other, tolerance=1e-5):
    for own, theirs in zip(flat_weights(one), flat_weights(other), strict=True):
        assert_allclose(own, theirs, rtol=tolerance, atol=tolerance)
    assert one.history_.keys() == other.history_.keys()
    for name, values in one.history_.items():
        assert_allclose(values, other.history_[name], rtol=1e-4, atol=1e-6, err_msg=name)
    assert one.n_iter_ == other.n_iter_ == len(one.loss_curve_)


def fit_both(network, make_callbacks, **changes):
    """Fit on both engines, which must agree; `make_callbacks` gets the engine's name."""
    both = [fitted(network, e, callbacks=make_callbacks(e), **changes) for e in ENGINES]
    assert [network.engine_ for network in both] == list(ENGINES)
    assert_same_training(*both)
    return both


class Shared(callbacks.Callback):
    """A callback that all fits share, so that it can be read afterwards."""

    def __deepcopy__(self, memo):
        return self


class Diary(Shared):
    """Writes down every hook outside of batches, with the names in its logs."""

    def __init__(self):
        super().__init__()
        self.entries = []

    def _write(self, hook, logs, epoch=None):
        self.entries.append((hook, epoch, sorted(logs), dict(self.params)))

    def on_train_begin(self, logs=None):
        self._write("train begins", logs)

    def on_train_end(self, logs=None):
        self._write("train ends", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._write("epoch begins", logs, epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._write("epoch ends", logs, epoch)

    def on_test_begin(self, logs=None):
        self._write("test begins", logs)

    def on_test_end(self, logs=None):
        self._write("test ends", logs)


# --- by name -----------------------------------------------------------------------------


@pytest.mark.slow
def test_early_stopping_on_the_validation_loss():
    stop = {"monitor": "val_loss", "patience": 2}
    compiled, _ = fit_both(
        NUMBER_NETWORK, lambda _: callbacks.EarlyStopping(**stop), epochs=40, learning_rate=0.1
    )
    losses = compiled.history_["val_loss"]
    assert compiled.n_iter_ == np.argmin(losses) + 1 + stop["patience"] < 40


@pytest.mark.slow
def test_early_stopping_finds_out_that_more_accuracy_is_better():
    stop = {"monitor": "val_accuracy", "mode": "auto", "patience": 4}
    compiled, _ = fit_both(
        CLASS_NETWORK, lambda _: callbacks.EarlyStopping(**stop), epochs=40, learning_rate=0.1
    )
    accuracies = compiled.history_["val_accuracy"]
    assert max(accuracies) > accuracies[0]
    assert compiled.n_iter_ == np.argmax(accuracies) + 1 + stop["patience"] < 40


@pytest.mark.slow
@networks
def test_early_stopping_brings_the_best_weights_back(network):
    stop = callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    compiled, _ = fit_both(network, lambda _: stop, epochs=60, learning_rate=0.1)
    best = int(np.argmin(compiled.history_["val_loss"])) + 1
    assert best < compiled.n_iter_ < 60
    of_best_epoch = fitted(network, epochs=best, learning_rate=0.1)
    for own, other in zip(flat_weights(compiled), flat_weights(of_best_epoch), strict=True):
        assert_array_equal(own, other)


@pytest.mark.slow
def test_best_weights_come_back_also_where_nothing_stopped():
    stop = callbacks.EarlyStopping("val_loss", patience=99, restore_best_weights=True)
    network = fitted(NUMBER_NETWORK, callbacks=stop, epochs=6, learning_rate=0.1)
    best = int(np.argmin(network.history_["val_loss"])) + 1
    assert network.n_iter_ == 6 > best
    of_best_epoch = fitted(NUMBER_NETWORK, epochs=best, learning_rate=0.1)
    assert_array_equal(network.predict(X), of_best_epoch.predict(X))


@pytest.mark.slow
def test_reduce_lr_on_plateau():
    plateau = callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_lr=0.01)
    compiled, _ = fit_both(NUMBER_NETWORK, lambda _: plateau, epochs=20, learning_rate=0.1)
    rates = compiled.history_["learning_rate"]
    assert rates[0] == pytest.approx(0.1)
    assert set(np.round(np.array(rates[1:]) / np.array(rates[:-1]), 4)) >= {0.5, 1.0}


@pytest.mark.slow
def test_learning_rate_scheduler():
    rates = [0.05, 0.02, 0.1, 0.001]
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rates[epoch])
    compiled, _ = fit_both(CLASS_NETWORK, lambda _: scheduler)
    assert_allclose(compiled.history_["learning_rate"], rates, rtol=1e-6)


def test_a_scheduled_rate_is_the_one_trained_with():
    scheduler = callbacks.LearningRateScheduler(lambda epoch: 0.01)
    scheduled = fitted(NUMBER_NETWORK, callbacks=scheduler)
    assert_array_equal(scheduled.predict(X), fitted(NUMBER_NETWORK, learning_rate=0.01).predict(X))


@pytest.mark.slow
@networks
def test_model_checkpoint_saves_the_best_epoch_as_a_good_keras_file(network, tmp_path):
    def checkpoint(engine):
        path = tmp_path / f"{engine}.keras"
        return callbacks.ModelCheckpoint(path, save_best_only=True)

    compiled, _ = fit_both(network, checkpoint, epochs=6, learning_rate=0.1)
    best = int(np.argmin(compiled.history_["val_loss"])) + 1
    assert best < 6
    own, oracle = (keras.models.load_model(tmp_path / f"{engine}.keras") for engine in ENGINES)
    of_best_epoch = fitted(network, epochs=best, learning_rate=0.1)
    truth = of_best_epoch.predict if network is NUMBER_NETWORK else of_best_epoch.predict_proba
    predictions = np.squeeze(own.predict(X, verbose=0))
    assert_allclose(predictions, truth(X), rtol=1e-5, atol=1e-6)
    assert_same_optimizers(own.optimizer, oracle.optimizer, n_steps=best * STEPS)


def assert_same_optimizers(own, oracle, n_steps):
    assert type(own) is type(oracle)
    paths = [[v.path.partition("/")[2] for v in each.variables] for each in (own, oracle)]
    assert paths[0] == paths[1]
    for ours, theirs in zip(own.variables, oracle.variables, strict=True):
        assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6, err_msg=ours.path)
    assert int(own.iterations) == n_steps


@pytest.mark.slow
def test_model_checkpoint_of_several_outputs_predicts_in_their_own_units(tmp_path):
    y = np.column_stack([NUMBERS, 0.01 * X[:, 0]])
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "two.keras")
    network = clone(NUMBER_NETWORK).set_params(callbacks=checkpoint, engine="compiled").fit(X, y)
    model = keras.models.load_model(tmp_path / "two.keras")
    assert_allclose(model.predict(X, verbose=0), network.predict(X), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_checkpoint_can_be_trained_on_with_keras(tmp_path):
    fitted(CLASS_NETWORK, callbacks=callbacks.ModelCheckpoint(tmp_path / "a.keras"))
    model = keras.models.load_model(tmp_path / "a.keras")
    model.fit(X, CLASSES, epochs=1, batch_size=16, verbose=0)
    assert int(model.optimizer.iterations) == 4 * STEPS + ROWS // 16


@pytest.mark.slow
def test_model_checkpoint_of_weights_only_loads_into_the_estimators_model(tmp_path):
    def checkpoint(engine):
        return callbacks.ModelCheckpoint(
            tmp_path / f"{engine}-{{epoch}}.weights.h5", save_weights_only=True
        )

    compiled, _ = fit_both(CLASS_NETWORK, checkpoint)
    assert len(list(tmp_path.iterdir())) == 2 * compiled.n_iter_
    model = compiled.to_keras()
    model.optimizer.build(model.trainable_variables)
    for epoch in (2, 4):
        model.load_weights(tmp_path / f"compiled-{epoch}.weights.h5")
        truth = fitted(CLASS_NETWORK, epochs=epoch).predict_proba(X)
        assert_allclose(model.predict(X, verbose=0), truth, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_csv_logger_writes_the_history(tmp_path):
    both = fit_both(CLASS_NETWORK, lambda engine: callbacks.CSVLogger(tmp_path / engine))
    for network in both:
        with open(tmp_path / network.engine_, newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows[0].keys() == {"epoch"} | network.history_.keys()
        for name, values in network.history_.items():
            assert_allclose([float(row[name]) for row in rows], values, rtol=1e-6)


def events(folder):
    """Return the scalars and histograms in an event folder: by tag, of each step."""
    reader = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {
        tag: {event.step: make_ndarray(event.tensor_proto) for event in reader.Tensors(tag)}
        for tag in reader.Tags()["tensors"]
    }


@pytest.mark.slow
def test_tensorboard_writes_the_same_events_on_both_engines(tmp_path):
    compiled, _ = fit_both(
        CLASS_NETWORK, lambda engine: callbacks.TensorBoard(tmp_path / engine, histogram_freq=1)
    )
    for kind in ("train", "validation"):
        own, oracle = (events(tmp_path / engine / kind) for engine in ENGINES)
        assert own.keys() == oracle.keys()
        for tag, steps in own.items():
            assert steps.keys() == oracle[tag].keys(), tag
            if steps[min(steps)].dtype == np.float32 and tag != "keras":
                assert_allclose(list(steps.values()), list(oracle[tag].values()), rtol=1e-4)
    train, validation = (events(tmp_path / "compiled" / kind) for kind in ("train", "validation"))
    assert_allclose(list(train["epoch_loss"].values()), compiled.loss_curve_, rtol=1e-6)
    assert_allclose(
        list(validation["epoch_loss"].values()), compiled.history_["val_loss"], rtol=1e-6
    )
    at_iterations = validation["evaluation_loss_vs_iterations"]
    assert list(at_iterations) == [STEPS, 2 * STEPS, 3 * STEPS, 4 * STEPS]
    histograms = [tag for tag in train if tag.endswith("/histogram")]
    assert len(histograms) == 4  # two kernels, two biases


@pytest.mark.slow
def test_lambda_callback():
    seen = {engine: [] for engine in ENGINES}

    def record(engine):
        return callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen[engine].append((epoch, logs["val_loss"])),
            on_train_end=lambda logs: seen[engine].append(("end", logs["val_loss"])),
        )

    compiled, _ = fit_both(NUMBER_NETWORK, record)
    for engine in ENGINES:
        assert [epoch for epoch, _ in seen[engine]] == [0, 1, 2, 3, "end"]
    assert_allclose([loss for _, loss in seen["compiled"][:-1]], compiled.history_["val_loss"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_callbacks_at_once_under_early_stopping_and_a_score(dtype, tmp_path):
    def several(engine):
        return [
            callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.1),
            callbacks.CSVLogger(tmp_path / engine),
            callbacks.ModelCheckpoint(tmp_path / f"{engine}.keras", "val_score", mode="max"),
        ]

    changes = {"early_stopping": True, "scoring": "r2", "patience": 3, "learning_rate": 0.1}
    compiled, oracle = fit_both(NUMBER_NETWORK, several, epochs=30, dtype=dtype, **changes)
    assert compiled.best_epoch_ == oracle.best_epoch_ < compiled.n_iter_ < 30
    assert {"val_score", "learning_rate"} <= compiled.history_.keys()


# --- a user's own ------------------------------------------------------------------------


class Predictor(Shared):
    def __init__(self):
        super().__init__()
        self.predictions = []

    def on_epoch_end(self, epoch, logs=None):
        self.predictions.append(np.squeeze(self.model.predict(X, verbose=0)))


@pytest.mark.slow
@engines
@networks
def test_the_model_predicts_as_the_estimator_of_each_epoch(network, engine):
    predictor = Predictor()
    fitted(network, engine, callbacks=predictor, epochs=3)
    for epochs, predictions in enumerate(predictor.predictions, start=1):
        estimator = fitted(network, epochs=epochs)
        truth = estimator.predict if network is NUMBER_NETWORK else estimator.predict_proba
        assert_allclose(predictions, truth(X), rtol=1e-5, atol=1e-5)


class Copier(Shared):
    def on_epoch_end(self, epoch, logs=None):
        self.outputs = np.squeeze(self.model(X))
        self.pickled = pickle.dumps(self.model)


@engines
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_the_model_can_be_called_and_pickled(engine):
    copier = Copier()
    network = fitted(NUMBER_NETWORK, engine, callbacks=copier, epochs=2)
    assert_allclose(copier.outputs, network.predict(X), rtol=1e-5, atol=1e-5)
    copied = pickle.loads(copier.pickled)  # noqa: S301 - its own
    assert_allclose(np.squeeze(copied(X)), copier.outputs, rtol=1e-6)


def keras_model(network):
    """Return a model as a Keras user writes it, of the same size as the estimator's."""
    is_regressor = network is NUMBER_NETWORK
    output = (1, "linear") if is_regressor else (3, "softmax")
    layers = [keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(*output)]
    model = keras.Sequential(layers)
    loss = "mse" if is_regressor else "sparse_categorical_crossentropy"
    model.compile("adam", loss, metrics=None if is_regressor else ["accuracy"])
    return model


def diary_of_keras(network, verbose, epochs, validation, **more):
    diary, y = Diary(), TARGETS[type(network)]
    held_out = (X[48:], y[48:]) if validation else None
    rows = slice(48) if validation else slice(None)
    keras_model(network).fit(
        X[rows], y[rows], 16, epochs, verbose, [diary], validation_data=held_out, **more
    )
    return diary.entries


@pytest.mark.slow
@engines
@pytest.mark.parametrize(
    ("network", "validation"),
    [(NUMBER_NETWORK, False), (CLASS_NETWORK, True)],
    ids=["reg", "clf_with_validation"],
)
def test_hooks_logs_and_params_are_those_of_keras(network, engine, validation):
    diary = Diary()
    share = 0.25 if validation else None
    fitted(network, engine, callbacks=diary, epochs=2, validation_fraction=share)
    truth = diary_of_keras(network, verbose=0, epochs=2, validation=validation)
    assert diary.entries == truth


@engines
@pytest.mark.parametrize("verbose", [pytest.param(v, marks=pytest.mark.slow) for v in (1, 2)])
def test_params_tell_how_verbose_the_fit_is(engine, verbose, capsys):
    diary = Diary()
    fitted(NUMBER_NETWORK, engine, callbacks=diary, epochs=1, verbose=verbose)
    assert {entry[3]["verbose"] for entry in diary.entries} == {verbose}


@pytest.mark.slow
@engines
def test_epoch_numbers_go_on_under_warm_start(engine):
    diary = Diary()
    network = clone(NUMBER_NETWORK).set_params(engine=engine, warm_start=True, callbacks=diary)
    network.set_params(epochs=2).fit(X, NUMBERS)
    diary.entries.clear()
    network.set_params(epochs=3).fit(X, NUMBERS)
    truth = diary_of_keras(NUMBER_NETWORK, verbose=0, epochs=5, validation=True, initial_epoch=2)
    assert diary.entries == truth


class Steering(callbacks.Callback):
    """Does something to the model at one moment."""

    def __init__(self, hook, action):
        super().__init__()
        self._action = action
        setattr(self, hook, self._act)

    def _act(self, epoch=None, logs=None):
        if epoch in (1, None) or not isinstance(epoch, int):
            self._action(self.model)


def stop(model):
    model.stop_training = True


def halve_weights(model):
    model.set_weights([0.5 * array for array in model.get_weights()])


def set_rate(model):
    model.optimizer.learning_rate = 0.002


def assign_rate(model):
    model.optimizer.learning_rate.assign(0.002)


def set_schedule(model):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=3, decay_rate=0.5)
    model.optimizer.learning_rate = schedule


STEERING = {
    "stop at an end": ("on_epoch_end", stop),
    "weights at first": ("on_train_begin", halve_weights),
    "weights at a begin": ("on_epoch_begin", halve_weights),
    "weights at an end": ("on_epoch_end", halve_weights),
    "weights at last": ("on_train_end", halve_weights),
    "rate at first": ("on_train_begin", set_rate),
    "rate at a begin": ("on_epoch_begin", assign_rate),
    "rate at an end": ("on_epoch_end", set_rate),
    "schedule at first": ("on_train_begin", set_schedule),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STEERING)
def test_what_a_callback_does_to_the_model_counts_on_both_engines(name):
    compiled, _ = fit_both(NUMBER_NETWORK, lambda _: Steering(*STEERING[name]))
    assert compiled.n_iter_ == (2 if STEERING[name][1] is stop else 4)
    steered, silent = flat_weights(compiled)[0], flat_weights(fitted(NUMBER_NETWORK))[0]
    assert not np.array_equal(steered, silent)


@pytest.mark.slow
def test_what_callbacks_add_to_the_logs_is_in_the_history():
    def annotate(epoch, logs):
        logs["epoch_squared"] = epoch**2

    compiled, _ = fit_both(
        NUMBER_NETWORK, lambda _: callbacks.LambdaCallback(on_epoch_end=annotate)
    )
    assert compiled.history_["epoch_squared"] == [0, 1, 4, 9]


def test_callbacks_that_only_look_change_no_bits_and_compile_once():
    silent = fitted(NUMBER_NETWORK, validation_fraction=None)
    changes = {"callbacks": callbacks.Callback(), "validation_fraction": None}
    looked_at = fitted(NUMBER_NETWORK, **changes)
    before = trace_count()
    fitted(NUMBER_NETWORK, **changes, random_state=1)
    assert trace_count() == before
    for own, other in zip(flat_weights(looked_at), flat_weights(silent), strict=True):
        assert_array_equal(own, other)
    assert looked_at.history_ == silent.history_


class LooksOnce(callbacks.Callback):
    """Notes the model's weights and the optimizer's steps, at one place of one epoch."""

    def __init__(self, hook, epoch, stops=False):
        super().__init__()
        self.epoch, self.place, self.stops = -1, (hook, epoch), stops

    def _come_by(self, hook):
        if (hook, self.epoch) == self.place:
            if self.stops:
                self.model.stop_training = True
            else:
                self.weights = self.model.get_weights()
                self.n_steps = int(self.model.optimizer.iterations)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._come_by("on_epoch_begin")

    def on_test_begin(self, logs=None):
        self._come_by("on_test_begin")

    def on_epoch_end(self, epoch, logs=None):
        self._come_by("on_epoch_end")


LONG = {"epochs": 12, "validation_fraction": 0.25}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hook", "validation_fraction"),
    [
        *((hook, 0.25) for hook in ("on_epoch_begin", "on_test_begin", "on_epoch_end")),
        *((hook, None) for hook in ("on_epoch_begin", "on_epoch_end")),
    ],
)
@pytest.mark.parametrize("epoch", [0, 1, 5, 11])
def test_a_late_look_at_the_model_sees_its_epoch_and_changes_no_bits(
    hook, epoch, validation_fraction
):
    looks, changes = LooksOnce(hook, epoch), LONG | {"validation_fraction": validation_fraction}
    looked_at = fitted(NUMBER_NETWORK, **changes, callbacks=looks)
    silent = fitted(NUMBER_NETWORK, **changes)
    assert looked_at.history_ == silent.history_
    for own, other in zip(flat_weights(looked_at), flat_weights(silent), strict=True):
        assert_array_equal(own, other)
    n_epochs = epoch + (hook != "on_epoch_begin")
    rows_trained_on = ROWS if validation_fraction is None else ROWS * 3 // 4
    assert looks.n_steps == n_epochs * -(-rows_trained_on // 16)
    if n_epochs:
        stopped = fitted(
            NUMBER_NETWORK, **changes, callbacks=LooksOnce("on_epoch_end", n_epochs - 1, stops=True)
        )
        for seen, own in zip(looks.weights, flat_weights(stopped), strict=True):
            assert_allclose(seen, own, rtol=1e-6)


@pytest.mark.parametrize("epoch", [0, 1, 4, 9])
def test_a_training_that_a_callback_stops_goes_on_from_there(epoch):
    network = clone(NUMBER_NETWORK).set_params(**LONG, warm_start=True, engine="compiled")
    network.set_params(callbacks=LooksOnce("on_epoch_end", epoch, stops=True)).fit(X, NUMBERS)
    assert network.n_iter_ == epoch + 1
    network.set_params(callbacks=None, epochs=12 - network.n_iter_)
    network.fit(X, NUMBERS)
    through = fitted(NUMBER_NETWORK, **LONG)
    assert network.history_ == through.history_
    for own, other in zip(flat_weights(network), flat_weights(through), strict=True):
        assert_array_equal(own, other)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("epoch", [0, 4, 9])
def test_nothing_begins_after_the_end(engine, epoch):
    hooks = []

    class Stops(callbacks.Callback):
        def on_epoch_begin(self, number, logs=None):
            hooks.append(("begin", number))

        def on_epoch_end(self, number, logs=None):
            hooks.append(("end", number))
            if number == epoch:
                self.model.stop_training = True

    fitted(NUMBER_NETWORK, engine, callbacks=Stops(), **LONG)
    assert hooks[-1] == ("end", epoch)
    assert len(hooks) == 2 * (epoch + 1)


def test_epochs_run_ahead_of_callbacks_that_only_read_logs(monkeypatch):
    calls = []
    run = Program.__call__

    def counted(self, *arguments):
        calls.append(self)
        return run(self, *arguments)

    monkeypatch.setattr(Program, "__call__", counted)
    fitted(NUMBER_NETWORK, callbacks=callbacks.Callback(), **LONG | {"epochs": 200})
    assert len(calls) < 50
    calls.clear()
    fitted(NUMBER_NETWORK, callbacks=LooksOnce("on_epoch_begin", 0), **LONG)
    assert len(calls) == 12


# --- which need Keras --------------------------------------------------------------------


class OnBatches(callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


class OnTestBatches(callbacks.Callback):
    def on_test_batch_end(self, batch, logs=None):
        pass


class OnPredictBatches(callbacks.Callback):
    def on_predict_batch_end(self, batch, logs=None):
        pass


class BoardOnBatches(callbacks.TensorBoard):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)


class CheckpointAtEpochs(callbacks.ModelCheckpoint):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)


def nothing(*args, **kwargs):
    pass


NEED_KERAS = {
    "lambda": lambda path: callbacks.LambdaCallback(on_train_batch_end=nothing),
    "lambda on_batch_end": lambda path: callbacks.LambdaCallback(on_batch_end=nothing),
    "subclass": lambda path: OnBatches(),
    "subclass on test batches": lambda path: OnTestBatches(),
    "subclass of TensorBoard": lambda path: BoardOnBatches(path),
    "ModelCheckpoint": lambda path: callbacks.ModelCheckpoint(path / "a.keras", save_freq=3),
    "TensorBoard update_freq": lambda path: callbacks.TensorBoard(path, update_freq="batch"),
    "TensorBoard update_freq=1": lambda path: callbacks.TensorBoard(path, update_freq=1),
    "TensorBoard profile_batch": lambda path: callbacks.TensorBoard(path, profile_batch=2),
    "TensorBoard steps": lambda path: callbacks.TensorBoard(path, write_steps_per_second=True),
    "BackupAndRestore": lambda path: callbacks.BackupAndRestore(path / "backup"),
    "SwapEMAWeights": lambda path: callbacks.SwapEMAWeights(),
}
DO_NOT_NEED_KERAS = {
    "lambda": lambda path: callbacks.LambdaCallback(on_epoch_begin=nothing, on_train_end=nothing),
    "subclass on predict batches": lambda path: OnPredictBatches(),
    "subclass of ModelCheckpoint": lambda path: CheckpointAtEpochs(path / "a.keras"),
    "ModelCheckpoint": lambda path: callbacks.ModelCheckpoint(path / "a.keras"),
    "TensorBoard": lambda path: callbacks.TensorBoard(path),
    "CSVLogger": lambda path: callbacks.CSVLogger(path / "a.csv"),
    "EarlyStopping": lambda path: callbacks.EarlyStopping(),
}


@pytest.mark.parametrize("name", NEED_KERAS)
def test_callbacks_on_batches_are_an_error_on_the_compiled_engine(name, tmp_path):
    callback = NEED_KERAS[name](tmp_path)
    network = clone(NUMBER_NETWORK).set_params(callbacks=callback, engine="compiled")
    with pytest.raises(ValueError, match=type(callback).__name__):
        network.fit(X, NUMBERS)
    assert not hasattr(network, "history_")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "lambda",
        "subclass",
        "ModelCheckpoint",
        "TensorBoard update_freq",
        "TensorBoard profile_batch",
        "BackupAndRestore",
    ],
)
def test_callbacks_on_batches_train_with_keras_and_a_warning(name, tmp_path):
    callback = NEED_KERAS[name](tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SlowEngineWarning)
        network = fitted(NUMBER_NETWORK, "auto", callbacks=callback, epochs=2)
    [warning] = caught
    assert warning.category is SlowEngineWarning
    assert type(callback).__name__ in str(warning.message)
    assert network.engine_ == "keras"
    assert_same_training(network, fitted(NUMBER_NETWORK, epochs=2))


@pytest.mark.parametrize("name", DO_NOT_NEED_KERAS)
def test_callbacks_on_epochs_train_with_the_compiled_program(name, tmp_path):
    network = fitted(NUMBER_NETWORK, "auto", callbacks=DO_NOT_NEED_KERAS[name](tmp_path), epochs=1)
    assert network.engine_ == "compiled"


class WeightsOfSteps(Shared):
    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights())


@pytest.mark.slow
def test_batch_hooks_see_every_step():
    steps = WeightsOfSteps()
    network = fitted(NUMBER_NETWORK, "keras", callbacks=steps, epochs=2)
    assert len(steps.weights) == 2 * STEPS
    for seen, own in zip(steps.weights[-1], flat_weights(network), strict=True):
        assert_array_equal(seen, own)


@pytest.mark.slow
def test_checkpoints_and_events_of_batches_are_written(tmp_path):
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=2)
    board = callbacks.TensorBoard(tmp_path / "board", update_freq=1)
    fitted(NUMBER_NETWORK, "keras", callbacks=[checkpoint, board], epochs=2)
    assert {path.name for path in tmp_path.glob("*.keras")} == {
        "1-2.keras",
        "2-1.keras",
        "2-3.keras",
    }
    losses = events(tmp_path / "board" / "train")["batch_loss"]
    assert len(losses) == 2 * STEPS


@pytest.mark.slow
def test_swap_ema_weights_leaves_the_moving_average():
    steps = WeightsOfSteps()
    optimizer = keras.optimizers.Adam(use_ema=True, ema_momentum=0.9)
    network = fitted(
        NUMBER_NETWORK,
        "keras",
        optimizer=optimizer,
        callbacks=[steps, callbacks.SwapEMAWeights(swap_on_epoch=True)],
        validation_fraction=None,
        epochs=1,
    )
    average = steps.weights[0]
    for weights in steps.weights[1:]:
        average = [0.9 * a + 0.1 * w for a, w in zip(average, weights, strict=True)]
    for own, truth in zip(flat_weights(network), average, strict=True):
        assert_allclose(own, truth, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_backup_and_restore_goes_on_after_a_failure(tmp_path):
    def fail(epoch, logs):
        if epoch == 2:
            raise RuntimeError("power cut")

    backup = callbacks.BackupAndRestore(tmp_path / "backup")
    failing = [backup, callbacks.LambdaCallback(on_epoch_begin=fail)]
    with pytest.raises(RuntimeError, match="power cut"):
        fitted(NUMBER_NETWORK, "keras", callbacks=failing, epochs=5)
    diary = Diary()
    network = fitted(NUMBER_NETWORK, "keras", callbacks=[backup, diary], epochs=5)
    assert [epoch for hook, epoch, *_ in diary.entries if hook == "epoch ends"] == [2, 3, 4]
    assert network.n_iter_ == len(network.loss_curve_) == 3


# --- copies ------------------------------------------------------------------------------


@pytest.mark.slow
@engines
def test_given_callbacks_come_back_without_a_model(engine, tmp_path):
    given = [
        callbacks.EarlyStopping(restore_best_weights=True),
        callbacks.ReduceLROnPlateau(),
        callbacks.CSVLogger(tmp_path / "a.csv"),
        callbacks.TensorBoard(tmp_path / "board"),
        callbacks.ModelCheckpoint(tmp_path / "a.keras", save_best_only=True),
    ]
    network = clone(NUMBER_NETWORK).set_params(engine=engine, callbacks=given)
    network.fit(X, NUMBERS)
    assert network.callbacks is given
    assert all(callback.model is None and callback.params is None for callback in given)
    for twin in (clone(network), copy.deepcopy(network), pickle.loads(pickle.dumps(network))):  # noqa: S301
        twin.fit(X, NUMBERS)


class Recorder(callbacks.Callback):
    """Keeps what it sees in lists, and may raise."""

    def __init__(self, raises_at=None):
        super().__init__()
        self.epochs, self.raises_at = [], raises_at

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        if epoch == self.raises_at:
            raise StopIteration("pruned")


@engines
def test_what_a_given_callback_records_is_there_after_the_fit(engine):
    recorder, seen = Recorder(), []
    by_function = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    network = clone(NUMBER_NETWORK).set_params(engine=engine)
    network.set_params(callbacks=[recorder, by_function]).fit(X, NUMBERS)
    assert recorder.epochs == seen == [0, 1, 2, 3]


@engines
def test_what_a_callback_raises_reaches_the_caller_and_changes_nothing(engine):
    network = fitted(NUMBER_NETWORK, engine)
    recorder = Recorder(raises_at=1)
    network.set_params(callbacks=recorder)
    before = vars(network).copy()
    with pytest.raises(StopIteration, match="pruned"):
        network.fit(X, NUMBERS)
    assert vars(network) == before
    assert recorder.epochs == [0, 1]
    assert recorder.model is None


def test_a_callback_that_looks_at_no_model_has_none_built(monkeypatch):
    def build(*arguments, **keywords):
        raise AssertionError("a model was built")

    monkeypatch.setattr("skdense._training.callbacks.build_model", build)
    recorder = Recorder()
    clone(NUMBER_NETWORK).set_params(engine="compiled", callbacks=recorder).fit(X, NUMBERS)
    assert len(recorder.epochs) == 4


class UsersHuber(keras.losses.Huber):
    """Registered nowhere, and of a configuration that tells too little."""


class HoldsALock(Recorder):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def test_unregistered_objects_survive_clones_copies_and_searches():
    network = clone(NUMBER_NETWORK).set_params(loss=UsersHuber(delta=0.1), epochs=2)
    lock = HoldsALock()
    network.set_params(callbacks=lock)
    for twin in (clone(network), copy.deepcopy(network)):
        assert type(twin.loss) is UsersHuber
        assert_same_training(twin.fit(X, NUMBERS), network.fit(X, NUMBERS), tolerance=0)
    assert clone(network).callbacks is lock  # of which there can be no copy
    search = GridSearchCV(network, {"learning_rate": [0.01, 0.1]}, cv=2, error_score="raise")
    assert np.isfinite(search.fit(X, NUMBERS).best_score_)


def test_two_fits_with_one_callback_are_the_same():
    network = clone(NUMBER_NETWORK).set_params(learning_rate=0.1, epochs=20)
    network.set_params(callbacks=[callbacks.EarlyStopping(patience=2)])
    first = network.fit(X, NUMBERS).history_
    assert network.fit(X, NUMBERS).history_ == first
    assert len(first["loss"]) < 20


def test_a_search_gives_each_fit_its_own_callbacks():
    network = clone(NUMBER_NETWORK).set_params(epochs=20, engine="compiled")
    network.set_params(callbacks=[callbacks.EarlyStopping(patience=1)])
    grid, folds = {"learning_rate": [0.1, 0.4]}, KFold(2)
    search = GridSearchCV(network, grid, cv=folds).fit(X, NUMBERS)
    for number, rate in enumerate(grid["learning_rate"]):
        for fold, (train, test) in enumerate(folds.split(X)):
            alone = clone(network).set_params(learning_rate=rate).fit(X[train], NUMBERS[train])
            score = search.cv_results_[f"split{fold}_test_score"][number]
            assert score == alone.score(X[test], NUMBERS[test])
    assert search.best_estimator_.n_iter_ < 20


@pytest.mark.slow
def test_a_search_in_two_processes_with_tensorboard(tmp_path):
    network = clone(NUMBER_NETWORK).set_params(callbacks=callbacks.TensorBoard(tmp_path))
    grid = {"learning_rate": [0.01, 0.1]}
    scores = [
        GridSearchCV(network, grid, cv=2, n_jobs=n_jobs).fit(X, NUMBERS).cv_results_
        for n_jobs in (1, 2)
    ]
    assert_array_equal(scores[0]["mean_test_score"], scores[1]["mean_test_score"])
    assert len(list((tmp_path / "train").glob("events.*"))) == 2 * (2 * 2 + 1)


class OwnFile(callbacks.CSVLogger):
    def on_train_begin(self, logs=None):
        self.filename = f"{self.filename}-{uuid.uuid4().hex}.csv"
        super().on_train_begin(logs)


class OwnFolder(callbacks.TensorBoard):
    def set_model(self, model):
        self.log_dir = os.path.join(self.log_dir, uuid.uuid4().hex)
        super().set_model(model)


@pytest.mark.parametrize("engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)])
def test_folds_write_apart_with_a_path_of_their_own(engine, tmp_path):
    both = [OwnFile(tmp_path / "log"), OwnFolder(tmp_path / "board")]
    network = clone(NUMBER_NETWORK).set_params(callbacks=both, engine=engine)
    cross_val_score(network, X, NUMBERS, cv=2)
    logs = list(tmp_path.glob("log-*.csv"))
    assert [len(path.read_text().splitlines()) for path in logs] == [5, 5]  # with a heading
    folders = list((tmp_path / "board").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert list(events(folder / "train")["epoch_loss"]) == [0, 1, 2, 3]


def test_a_list_that_a_function_captures_is_shared():
    losses = []
    callback = callbacks.LambdaCallback(on_epoch_end=lambda _, logs: losses.append(logs["loss"]))
    network = fitted(NUMBER_NETWORK, callbacks=callback)
    assert losses == network.loss_curve_


def test_a_callback_that_copies_to_itself_is_read_after_the_fit():
    diary = Diary()
    network = fitted(NUMBER_NETWORK, callbacks=[diary])
    assert network.callbacks[0] is diary
    assert [epoch for hook, epoch, *_ in diary.entries if hook == "epoch ends"] == [0, 1, 2, 3]


# --- errors ------------------------------------------------------------------------------


class Failing(callbacks.Callback):
    def __init__(self, hook, error):
        super().__init__()
        self.error = error
        setattr(self, hook, self._fail)

    def __deepcopy__(self, memo):
        return self

    def _fail(self, *args, **kwargs):
        raise self.error


HOOKS = [
    "set_model",
    "on_train_begin",
    "on_epoch_begin",
    "on_test_end",
    "on_epoch_end",
    "on_train_end",
]


def assert_fit_fails_with(network, error):
    before = vars(network).copy()
    with pytest.raises(type(error)) as caught:
        network.fit(X, NUMBERS)
    assert caught.value is error
    assert vars(network) == before


@pytest.mark.parametrize(
    ("hook", "engine"),
    [
        *((hook, "compiled") for hook in HOOKS),
        *(pytest.param(hook, "keras", marks=pytest.mark.slow) for hook in HOOKS[::3]),
    ],
)
def test_an_error_in_a_callback_surfaces_unchanged_and_changes_nothing(hook, engine):
    error = ZeroDivisionError("of a user")
    unfitted = clone(NUMBER_NETWORK).set_params(callbacks=Failing(hook, error), engine=engine)
    assert_fit_fails_with(unfitted, error)
    network = fitted(NUMBER_NETWORK)
    predictions = network.predict(X)
    network.set_params(callbacks=Failing(hook, error), engine=engine, random_state=1)
    assert_fit_fails_with(network, error)
    assert_array_equal(network.predict(X), predictions)


class SklearnCallback:
    """Follows the protocol of ``sklearn.callback``, of any release."""

    def setup(self, estimator, context):
        pass

    on_fit_task_begin = on_fit_task_end = teardown = setup


NOT_CALLBACKS = ["EarlyStopping", 3, callbacks.EarlyStopping, nothing, SklearnCallback()]


@pytest.mark.parametrize("callback", NOT_CALLBACKS)
@pytest.mark.parametrize("is_listed", [True, False])
def test_other_things_are_no_callbacks(callback, is_listed):
    given = [callbacks.Callback(), callback] if is_listed else callback
    network = clone(NUMBER_NETWORK).set_params(callbacks=given)
    with pytest.raises(TypeError, match=r"keras\.callbacks\.Callback.*set_callbacks"):
        network.fit(X, NUMBERS)
    assert not hasattr(network, "history_")


# --- what stays --------------------------------------------------------------------------


def objects_in(value, seen):
    """Yield all objects that hang on one, through containers and attributes."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    yield value
    children = value if isinstance(value, list | tuple | set | frozenset) else ()
    children = value.values() if isinstance(value, dict) else children
    for child in [*children, *getattr(value, "__dict__", {}).values()]:
        if not isinstance(child, type):
            yield from objects_in(child, seen)


@pytest.mark.parametrize("engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)])
def test_no_keras_object_stays_on_the_fitted_estimator(engine, tmp_path):
    given = [callbacks.TensorBoard(tmp_path), callbacks.EarlyStopping(restore_best_weights=True)]
    network = fitted(CLASS_NETWORK, engine, callbacks=given, warm_start=True)
    own = vars(network)
    state = {name: own[name] for name in own.keys() - network.get_params().keys()}
    assert {"_fitted", "history_"} <= state.keys()
    modules = {type(value).__module__.partition(".")[0] for value in objects_in(state, {})}
    assert not modules & {"keras", "tensorflow", "tensorboard"}


def test_an_estimator_pickles_after_a_fit_with_tensorboard(tmp_path):
    network = fitted(NUMBER_NETWORK, callbacks=[callbacks.TensorBoard(tmp_path)])
    restored = pickle.loads(pickle.dumps(network))  # noqa: S301
    assert_array_equal(restored.predict(X), network.predict(X))
    restored.fit(X, NUMBERS)
    assert_array_equal(restored.predict(X), network.predict(X))


def test_callbacks_see_only_the_watched_training_of_refit_full():
    diary = Diary()
    changes = {"early_stopping": True, "refit_full": True, "patience": 2, "learning_rate": 0.1}
    network = fitted(NUMBER_NETWORK, callbacks=diary, epochs=30, **changes)
    ended = [epoch for hook, epoch, *_ in diary.entries if hook == "epoch ends"]
    assert ended == list(range(network.n_iter_))
    assert [hook for hook, *_ in diary.entries].count("train begins") == 1
