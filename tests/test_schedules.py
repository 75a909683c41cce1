"""Learning rates that fall to 0 by the name of a schedule."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skdense import KerasDenseRegressor
from skdense._training.program import trace_count
from skdense._training.schedules import SCHEDULES, NamedSchedule, learning_rates

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning:keras"
)
X = RNG.standard_normal((80, 3))
Y = np.tanh(X @ [1.0, -2.0, 0.5]) + 0.1 * RNG.standard_normal(80)
N_STEPS = 5  # of an epoch
NETWORK = KerasDenseRegressor(
    units=6, depth=1, epochs=8, batch_size=16, learning_rate=0.05, random_state=0, dtype="float64"
)
NETWORK.set_params(learning_rate_schedule=None, l2=0.0)  # every step as the one before
names = pytest.mark.parametrize("name", sorted(SCHEDULES))


def fitted(**changes):
    return clone(NETWORK).set_params(**changes).fit(X, Y)


def flat_weights(network):
    return [array for stage in network._fitted.members[0] for array in stage.values()]


def assert_same(one, other, **tolerance):
    for own, theirs in zip(flat_weights(one), flat_weights(other), strict=True):
        assert_allclose(own, theirs, **tolerance)


def test_cosine_is_that_of_keras():
    rates = learning_rates(NamedSchedule("cosine", 0.1, 0, 40), 0, 45)
    theirs = keras.optimizers.schedules.CosineDecay(0.1, 40)
    assert_allclose(rates, [float(theirs(step)) for step in range(45)], rtol=1e-5, atol=1e-8)
    assert_array_equal(rates[40:], 0)


def test_cycles_are_four_each_twice_as_long_as_the_one_before():
    rates = learning_rates(NamedSchedule("cosine_cycles", 0.2, 10, 1500), 10, 1500)
    zeros = [0, 100, 300, 700]
    assert_allclose(rates[zeros], 0, atol=1e-7)
    inside = [slice(1, 100), slice(101, 300), slice(301, 700), slice(701, 1500)]
    assert_allclose([rates[one].max() for one in inside], 0.2, rtol=1e-3)
    assert rates[-1] < 1e-5


@pytest.mark.slow
@names
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_both_engines_agree(name, optimizer):
    settings = {"learning_rate_schedule": name, "optimizer": optimizer, "weight_decay": 0.125}
    compiled, by_keras = fitted(**settings), fitted(**settings, engine="keras")
    assert_same(compiled, by_keras, rtol=1e-9, atol=1e-12)
    plain = fitted(optimizer=optimizer, weight_decay=0.125)
    assert not np.allclose(flat_weights(compiled)[0], flat_weights(plain)[0])


def test_a_cosine_trains_as_a_schedule_of_keras_does():
    theirs = keras.optimizers.schedules.CosineDecay(0.05, 8 * N_STEPS)
    assert_same(
        fitted(learning_rate_schedule="cosine"), fitted(learning_rate=theirs), rtol=1e-5, atol=1e-7
    )


def test_schedules_compile_nothing():
    fitted()
    before = trace_count()
    for name in SCHEDULES:
        fitted(learning_rate_schedule=name, epochs=3)
    assert trace_count() == before


@names
def test_early_stopping_cuts_it_short_and_refit_takes_the_same_rates(name):
    stopping = {"early_stopping": True, "patience": 2, "validation_fraction": 0.25, "epochs": 40}
    cut = fitted(learning_rate_schedule=name, **stopping)
    watched = {"validation_fraction": 0.25, "epochs": 40}
    whole = fitted(learning_rate_schedule=name, **watched)
    assert cut.n_iter_ < 40
    assert cut.history_["val_loss"] == whole.history_["val_loss"][: cut.n_iter_]
    again = fitted(learning_rate_schedule=name, **stopping, refit_full=True)
    # The first epochs of a training of 40 on all rows.
    longer = clone(NETWORK).set_params(learning_rate_schedule=name, epochs=40)
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(
            stop.model, "stop_training", epoch + 1 == again.best_epoch_
        )
    )
    longer.set_params(callbacks=stop).fit(X, Y)
    assert_same(again, longer, rtol=1e-9)


@pytest.mark.slow
@names
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_each_fit_under_warm_start_has_a_schedule_of_its_own(name, engine):
    network = clone(NETWORK).set_params(learning_rate_schedule=name, warm_start=True, engine=engine)
    network.fit(X, Y).fit(X, Y)
    rates = learning_rates(NamedSchedule(name, 0.05, 0, 8 * N_STEPS), 0, 8 * N_STEPS)

    class Repeated(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            step = int(self.model.optimizer.iterations)
            self.model.optimizer.learning_rate = rates[step % len(rates)]

    by_hand = clone(NETWORK).set_params(engine="keras", epochs=16, callbacks=Repeated())
    assert_same(network, by_hand.fit(X, Y), rtol=1e-8, atol=1e-10)


class SeesRates(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rates = []

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


@names
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_callbacks_see_the_rate_of_the_last_step(name, engine):
    seen = SeesRates()
    network = fitted(learning_rate_schedule=name, callbacks=seen, engine=engine)
    rates = learning_rates(NamedSchedule(name, 0.05, 0, 8 * N_STEPS), 0, 8 * N_STEPS)
    assert_allclose(seen.rates, rates[N_STEPS - 1 :: N_STEPS], rtol=1e-6)
    assert_same(network, fitted(learning_rate_schedule=name, engine=engine), rtol=0)


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_rate_that_a_callback_lowers_is_that_of_the_moment(engine):
    lowers = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: (
            epoch == 5
            and setattr(
                lowers.model.optimizer, "learning_rate", lowers.model.optimizer.learning_rate * 0.5
            )
        )
    )
    seen = SeesRates()
    fitted(learning_rate_schedule="cosine", callbacks=[lowers, seen], engine=engine)
    rate = learning_rates(NamedSchedule("cosine", 0.05, 0, 8 * N_STEPS), 6 * N_STEPS - 1, 1)[0]
    assert_allclose(seen.rates[5:], rate / 2, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::skdense.SlowEngineWarning")
def test_a_training_that_keras_restores_goes_on_in_the_schedule(tmp_path):
    settings = {"learning_rate_schedule": "cosine", "engine": "keras"}
    whole = SeesRates()
    fitted(**settings, callbacks=whole)

    def fail(epoch, logs):
        if epoch == 3:
            raise ZeroDivisionError

    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    failing = keras.callbacks.LambdaCallback(on_epoch_begin=fail)
    with pytest.raises(ZeroDivisionError):
        fitted(**settings, callbacks=[backup, failing])
    rest = SeesRates()
    fitted(**settings, callbacks=[keras.callbacks.BackupAndRestore(tmp_path / "backup"), rest])
    assert_allclose(rest.rates, whole.rates[-len(rest.rates) :], rtol=1e-6)
    assert len(rest.rates) < 8


@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_callback_that_sets_the_rate_ends_the_schedule(engine):
    constant = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.03)
    network = fitted(learning_rate_schedule="cosine", callbacks=constant, engine=engine)
    assert_same(network, fitted(learning_rate=0.03, engine=engine), rtol=1e-7, atol=1e-9)


def test_to_keras_has_the_rate_that_was_given():
    model = fitted(learning_rate_schedule="cosine").to_keras()
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 10)},
        {
            "learning_rate": None,
            "optimizer": keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)),
        },
    ],
)
def test_two_schedules_at_once_are_an_error(changes):
    with pytest.raises(ValueError, match=r"a number\. Got .*'cosine' and a Keras schedule, Cosine"):
        fitted(learning_rate_schedule="cosine", **changes)


def test_streams_have_no_end_to_fall_to():
    with pytest.raises(ValueError, match=r"partial_fit does not know how many chunks"):
        clone(NETWORK).set_params(learning_rate_schedule="cosine").partial_fit(X, Y)


def test_other_names_are_an_error():
    with pytest.raises(ValueError, match="learning_rate_schedule"):
        fitted(learning_rate_schedule="step")
