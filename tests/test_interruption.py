"""Ctrl-C during a fit, and what a fit prints on its way."""

import contextlib
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from textwrap import dedent
from types import ModuleType, SimpleNamespace

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdense import KerasDenseRegressor
from skdense._backend import loading
from skdense._backend.held_interrupts import held_interrupts
from skdense._training import keras_engine, program
from skdense._training.program import trace_count
from skdense._training.progress import Progress

RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 3))
Y = 1000 + 50 * (X @ [2.0, -1.0, 0.5] + 0.5 * RNG.standard_normal(64))
NETWORK = KerasDenseRegressor(
    units=4, depth=1, batch_size=16, epochs=8, learning_rate=0.1, random_state=0
)
NETWORK.set_params(learning_rate_schedule=None, l2=0.0)  # every step as the one before
WATCHED = clone(NETWORK).set_params(validation_fraction=0.25)
STOPPING = clone(NETWORK).set_params(early_stopping=True, validation_fraction=0.25, epochs=30)
INTERRUPTED = "Training was interrupted after"


@pytest.fixture(autouse=True)
def handler_of_interrupts():
    """Python's own, which a shell's background process lacks: SIGINT is ignored there.

    A child starts with it, too, as it inherits what is ignored, and no handlers.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


engines = pytest.mark.parametrize(
    "engine", ["compiled", pytest.param("keras", marks=pytest.mark.slow)]
)


def ctrl_c_in(number):
    """Return a callback that interrupts in the epoch of a number, counted from 1."""

    def interrupt(epoch, logs):
        if epoch + 1 == number:
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_epoch_end=interrupt)


class ScoreThenCtrlC:
    """A scorer that interrupts when it is called for the n-th time."""

    def __init__(self, number):
        self.number, self.n_calls = number, 0

    def __call__(self, estimator, X, y):
        self.n_calls += 1
        if self.n_calls == self.number:
            raise KeyboardInterrupt
        return estimator.score(X, y)


def fitted(network, **changes):
    return clone(network).set_params(**changes).fit(X, Y)


def interrupted(network, **changes):
    network = clone(network).set_params(**changes)
    with pytest.warns(UserWarning, match=INTERRUPTED):
        fit_or_fail(network)
    return network


def fit_or_fail(network):
    try:
        network.fit(X, Y)
    except KeyboardInterrupt as error:  # or else it would end all tests
        raise AssertionError("the interruption was not kept inside of fit") from error


def interrupt_call(monkeypatch, number):
    """Have the compiled program be interrupted when it is called for the n-th time."""
    calls, run = [], program.Program.__call__

    def run_or_interrupt(self, *arguments):
        calls.append(arguments)
        if len(calls) == number:
            raise KeyboardInterrupt
        return run(self, *arguments)

    monkeypatch.setattr(program.Program, "__call__", run_or_interrupt)
    return calls


def one_epoch_a_call(monkeypatch):
    for bound in ("_MOST_STEPS", "_FEW_STEPS"):
        monkeypatch.setattr(f"skdense._training.batches.{bound}", 64 // 16)


@engines
def test_the_last_whole_epoch_is_kept(engine):
    network = interrupted(NETWORK, callbacks=ctrl_c_in(3), engine=engine)
    assert network.n_iter_ == len(network.loss_curve_) == network.best_epoch_ == 2
    alone = fitted(NETWORK, epochs=2, engine=engine)
    assert_array_equal(network.predict(X), alone.predict(X))
    assert network.history_ == alone.history_


def test_the_warning_says_how_far_it_came_and_points_at_the_caller():
    network = clone(NETWORK).set_params(callbacks=ctrl_c_in(3))
    with pytest.warns(UserWarning, match=r"after 2 epoch\(s\)") as caught:
        network.fit(X, Y)
    assert caught[0].filename == __file__


@engines
def test_the_best_epoch_is_kept_under_early_stopping(engine):
    network = interrupted(STOPPING, callbacks=ctrl_c_in(7), engine=engine)
    assert network.n_iter_ == len(network.history_["val_loss"]) == 6
    best = int(np.argmin(network.history_["val_loss"])) + 1
    assert network.best_epoch_ == best < 6
    alone = fitted(WATCHED, epochs=best, engine=engine)
    assert_array_equal(network.predict(X), alone.predict(X))


@engines
def test_the_last_epoch_is_kept_where_validation_only_records(engine):
    network = interrupted(WATCHED, callbacks=ctrl_c_in(7), engine=engine)
    assert network.n_iter_ == len(network.history_["val_loss"]) == 6
    assert network.best_epoch_ == np.argmin(network.history_["val_loss"]) + 1 < 6
    alone = fitted(WATCHED, epochs=6, engine=engine)
    assert_array_equal(network.predict(X), alone.predict(X))


@pytest.mark.slow
def test_callbacks_that_restore_weights_act_alike_on_both_engines():
    stop = keras.callbacks.EarlyStopping(patience=99, restore_best_weights=True)
    both = [
        interrupted(WATCHED, callbacks=[stop, ctrl_c_in(7)], engine=engine)
        for engine in ("compiled", "keras")
    ]
    np.testing.assert_allclose(both[0].predict(X), both[1].predict(X), rtol=1e-4)


@engines
def test_an_interrupted_scorer_ends_the_training_too(engine):
    network = interrupted(STOPPING, scoring=ScoreThenCtrlC(5), engine=engine)  # tried before
    assert network.n_iter_ == len(network.history_["val_score"]) == 3
    assert np.isfinite(network.predict(X)).all()


def test_a_silent_fit_keeps_the_epochs_before(monkeypatch):
    one_epoch_a_call(monkeypatch)
    alone = fitted(NETWORK, epochs=3)
    calls = interrupt_call(monkeypatch, number=4)
    network = interrupted(NETWORK)
    assert len(calls) == 4
    assert network.n_iter_ == len(network.loss_curve_) == 3
    assert_array_equal(network.predict(X), alone.predict(X))


@pytest.mark.parametrize("changes", [{}, {"verbose": 1}, {"validation_fraction": 0.25}], ids=str)
def test_epochs_without_end_take_no_memory_before_they_come(changes, monkeypatch):
    one_epoch_a_call(monkeypatch)
    interrupt_call(monkeypatch, number=4)
    network = interrupted(NETWORK, epochs=10**18, **changes)
    assert network.n_iter_ == len(network.loss_curve_) == 3


def test_an_interrupted_fit_goes_on_as_if_it_had_not_been(monkeypatch):
    one_epoch_a_call(monkeypatch)
    at_once = fitted(NETWORK, epochs=8)
    with monkeypatch.context() as during:
        interrupt_call(during, number=4)
        network = interrupted(NETWORK, warm_start=True)
    network.set_params(epochs=5).fit(X, Y)
    assert network.history_ == at_once.history_
    assert_array_equal(network.predict(X), at_once.predict(X))


@engines
def test_warm_start_goes_on_from_the_last_whole_epoch(engine):
    changes = {"callbacks": ctrl_c_in(4), "engine": engine, "warm_start": True}
    network = interrupted(WATCHED, **changes)
    before = {name: list(values) for name, values in network.history_.items()}
    network.set_params(callbacks=None, epochs=5).fit(X, Y)
    assert network.n_iter_ == 8
    for name, values in network.history_.items():
        assert len(values) == 8
        assert values[:3] == before[name]
    assert network.loss_curve_[-1] < network.loss_curve_[2]


@engines
@pytest.mark.parametrize("is_fitted", [True, False], ids=["fitted", "unfitted"])
def test_before_the_first_epoch_is_done_it_propagates_and_changes_nothing(engine, is_fitted):
    network = fitted(NETWORK) if is_fitted else clone(NETWORK)
    network.set_params(callbacks=ctrl_c_in(1), engine=engine, random_state=1)
    before = vars(network).copy()
    with pytest.raises(KeyboardInterrupt):
        network.fit(X, Y)
    assert vars(network) == before


def test_warm_start_interrupted_at_once_stays_where_it_was():
    network = fitted(NETWORK, warm_start=True, epochs=2)
    network.set_params(callbacks=ctrl_c_in(3))
    before = vars(network).copy()
    with pytest.raises(KeyboardInterrupt):
        network.fit(X, Y)
    assert vars(network) == before


# --- who called --------------------------------------------------------------------------

SEARCH = {"learning_rate": [0.01, 0.1]}
MANY_FITS = {
    "GridSearchCV": lambda network: GridSearchCV(network, SEARCH, cv=2).fit(X, Y),
    "cross_val_score": lambda network: cross_val_score(network, X, Y, cv=2),
    "joblib": lambda network: joblib.Parallel()([joblib.delayed(network.fit)(X, Y)]),
    "BaggingRegressor": lambda network: BaggingRegressor(network, n_estimators=2).fit(X, Y),
    "search over a pipeline": lambda network: GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("network", network)]),
        {"network__learning_rate": [0.1]},
        cv=2,
    ).fit(X, Y),
}


@engines
@pytest.mark.parametrize("name", MANY_FITS)
def test_among_many_fits_it_ends_them_all(name, engine):
    epochs = []
    record = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: epochs.append(epoch))
    network = clone(NETWORK).set_params(callbacks=[record, ctrl_c_in(3)], engine=engine)
    with pytest.raises(KeyboardInterrupt):
        MANY_FITS[name](network)
    assert epochs == [0, 1, 2]


@engines
def test_in_a_pipeline_the_training_is_kept(engine):
    network = clone(NETWORK).set_params(callbacks=ctrl_c_in(3), engine=engine)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)])
    with pytest.warns(UserWarning, match=INTERRUPTED):
        pipeline.fit(X, Y)
    assert pipeline[-1].n_iter_ == 2
    assert pipeline.predict(X).shape == (64,)


def test_around_a_transformed_target_the_training_is_kept():
    network = clone(NETWORK).set_params(callbacks=ctrl_c_in(3))
    around = TransformedTargetRegressor(network, transformer=StandardScaler())
    with pytest.warns(UserWarning, match=INTERRUPTED):
        around.fit(X, Y)
    assert around.regressor_.n_iter_ == 2


# --- the second training of refit_full ---------------------------------------------------


def test_refit_full_interrupted_in_the_first_training_trains_no_second_one():
    network = interrupted(STOPPING, callbacks=ctrl_c_in(7), refit_full=True)
    alone = interrupted(STOPPING, callbacks=ctrl_c_in(7))
    assert network.n_iter_ == 6
    assert_array_equal(network.predict(X), alone.predict(X))


@pytest.mark.parametrize("epoch", [1, 3])
def test_refit_full_interrupted_in_the_second_training_keeps_the_first(epoch, monkeypatch):
    one_epoch_a_call(monkeypatch)
    watched = fitted(STOPPING)
    assert watched.best_epoch_ >= epoch
    # One call of the program for every epoch of the watched training.
    interrupt_call(monkeypatch, number=watched.n_iter_ + epoch)
    network = interrupted(STOPPING, refit_full=True)
    assert network.history_ == watched.history_
    assert (network.n_iter_, network.best_epoch_) == (watched.n_iter_, watched.best_epoch_)
    assert_array_equal(network.predict(X), watched.predict(X))


# --- a signal held back ------------------------------------------------------------------


def test_a_held_signal_comes_where_it_is_let_go():
    with held_interrupts() as let_go:
        let_go()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            let_go()
        let_go()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_held_signal_comes_at_the_end_of_the_block():
    with pytest.raises(KeyboardInterrupt), held_interrupts():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def interrupt_and_fail():
    with held_interrupts():
        signal.raise_signal(signal.SIGINT)
        raise ZeroDivisionError


def interrupt_twice(reached):
    with held_interrupts():
        signal.raise_signal(signal.SIGINT)
        reached.append("first")
        signal.raise_signal(signal.SIGINT)
        reached.append("second")


def test_a_second_signal_is_not_held():
    reached = []
    with pytest.raises(KeyboardInterrupt):
        interrupt_twice(reached)
    assert reached == ["first"]


def test_a_held_signal_comes_where_the_block_ends_by_an_error():
    with pytest.raises(KeyboardInterrupt) as caught:
        interrupt_and_fail()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_are_left_alone():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        with held_interrupts() as let_go:
            signal.raise_signal(signal.SIGINT)
            let_go()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]


def test_threads_hold_nothing():
    with ThreadPoolExecutor(1) as thread, contextlib.ExitStack() as stack:
        let_go = thread.submit(stack.enter_context, held_interrupts()).result()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        let_go()


def swallowed_signal():
    """Have Ctrl-C where a KeyboardInterrupt gets lost, as it does amid operations of TensorFlow."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def after_signal(function):
    def run(*args, **kwargs):
        swallowed_signal()
        return function(*args, **kwargs)

    return run


@pytest.mark.parametrize("step", ["build_model", "callback_model"])
def test_a_signal_while_the_keras_engine_builds_models_is_not_lost(step, monkeypatch):
    monkeypatch.setattr(keras_engine, step, after_signal(getattr(keras_engine, step)))
    network = clone(NETWORK).set_params(engine="keras", callbacks=ctrl_c_in(99))
    with pytest.raises(KeyboardInterrupt):
        network.fit(X, Y)
    assert not hasattr(network, "history_")


def test_a_signal_while_the_keras_engine_sums_up_keeps_all_epochs(monkeypatch):
    whole = fitted(NETWORK, engine="keras")
    monkeypatch.setattr(keras_engine, "_slots", after_signal(keras_engine._slots))
    network = interrupted(NETWORK, engine="keras")
    assert network.history_ == whole.history_
    assert_array_equal(network.predict(X), whole.predict(X))


def test_a_signal_before_a_callback_fails_is_not_lost():
    def interrupt_and_fail(epoch, logs):
        if epoch == 2:
            swallowed_signal()
            raise ZeroDivisionError

    failing = keras.callbacks.LambdaCallback(on_epoch_end=interrupt_and_fail)
    network = clone(NETWORK).set_params(engine="keras", callbacks=failing)
    with pytest.raises(KeyboardInterrupt) as caught:
        network.fit(X, Y)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert not hasattr(network, "history_")


def test_a_signal_waits_until_tensorflow_is_imported(monkeypatch):
    imported = []

    def start(is_imported):
        signal.raise_signal(signal.SIGINT)
        imported.append("all")

    monkeypatch.setattr(loading, "_is_loaded", False)
    monkeypatch.setattr(loading, "_start", start)
    with pytest.raises(KeyboardInterrupt):
        loading.load_tensorflow()
    assert imported == ["all"]
    assert loading._is_loaded


# --- a real signal -----------------------------------------------------------------------

SIGNALLED = dedent("""
    import warnings
    import numpy as np
    from skdense import KerasDenseRegressor
    X = np.random.default_rng(0).normal(size=(64, 3))
    network = KerasDenseRegressor(units=4, depth=1, epochs=10**6, verbose=2, engine={engine!r})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network.fit(X, X[:, 0])
    print(len(caught), caught[0].category.__name__, flush=True)
    print(len(network.loss_curve_) == network.n_iter_ >= 3, network.predict(X).shape)
""")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "keras"])
def test_a_signal_ends_the_fit_and_the_program_goes_on(engine):
    command = [sys.executable, "-u", "-c", SIGNALLED.format(engine=engine)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        for line in process.stdout:
            if line.startswith("Epoch 3/"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read().splitlines()
    assert rest[-2].endswith("1 UserWarning")  # the signal may come amid a line
    assert rest[-1] == "True (64,)"
    assert process.returncode == 0


# --- progress ----------------------------------------------------------------------------


def test_one_line_per_epoch_has_the_history(capsys):
    network = fitted(WATCHED, verbose=2, epochs=3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" - ")[0] for line in lines] == ["Epoch 1/3", "Epoch 2/3", "Epoch 3/3"]
    for name in ("loss", "val_loss"):
        shown = [re.search(rf" - {name}: ([\d.]+)", line)[1] for line in lines]
        assert shown == [f"{value:.4f}" for value in network.history_[name]]


def test_the_bar_counts_epochs_and_shows_the_last_losses(capsys):
    network = fitted(WATCHED, verbose=1, epochs=3)
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    last = re.split(r"[\r\n]+", shown.rstrip())[-1]
    assert "3/3" in last
    for name in ("loss", "val_loss"):
        assert f" {name}: {network.history_[name][-1]:.4f}" in last
    assert shown.endswith("\n")


def test_the_bar_does_not_count_the_time_of_compiling(capsys):
    progress = Progress(1, range(5, 105))
    bar = progress._bar
    bar.start_t, bar.last_print_t = bar.start_t - 3600, bar.last_print_t - 3600
    progress.epochs_ran(2)
    progress.epoch_ended(5, {"loss": 0.5})
    progress.epoch_ended(6, {"loss": 0.5})
    assert "2/100 [00:00<?, ?epoch/s" in str(bar)
    bar.start_t -= 10  # seconds for two more epochs
    progress.epochs_ran(2)
    progress.epoch_ended(7, {"loss": 0.5})
    progress.epoch_ended(8, {"loss": 0.5})
    assert "4/100 [00:10<08:00" in str(bar)
    progress.ended()
    assert "\b" not in capsys.readouterr().out  # which exported notebooks show as boxes


def test_the_bar_starts_no_thread_and_warns_of_no_widgets(monkeypatch, capsys):
    before = threading.enumerate()
    if find_spec("ipywidgets") is None:
        # As in a kernel of Jupyter, where tqdm.auto warns.
        monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", ModuleType("zmqshell"))
        shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(config=["IPKernelApp"]))
        monkeypatch.setitem(sys.modules, "IPython", shell)
        for name in ("tqdm.auto", "tqdm.autonotebook"):
            monkeypatch.delitem(sys.modules, name, raising=False)
    progress = Progress(1, range(2))
    progress.epoch_ended(0, {"loss": 0.5})
    progress.epoch_ended(1, {"loss": 0.25})
    progress.ended()
    assert "2/2" in capsys.readouterr().out
    assert threading.enumerate() == before


def test_the_bar_ends_its_line_where_training_stops_early(capsys):
    network = fitted(STOPPING, verbose=1, patience=2)
    assert network.n_iter_ < 30
    assert capsys.readouterr().out.endswith("\n")


def test_the_bar_ends_its_line_where_training_diverges(capsys):
    with pytest.raises(ValueError, match="must stay finite"):
        fitted(NETWORK, verbose=1, optimizer="sgd", learning_rate=1e30)
    assert capsys.readouterr().out.endswith("\n")


def test_the_bar_ends_its_line_where_training_is_interrupted(capsys):
    interrupted(WATCHED, verbose=1, callbacks=ctrl_c_in(3))
    assert capsys.readouterr().out.endswith("\n")


def test_epochs_are_numbered_on_under_warm_start(capsys):
    network = fitted(WATCHED, epochs=2, warm_start=True)
    network.set_params(verbose=2).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" - ")[0] for line in lines] == ["Epoch 3/4", "Epoch 4/4"]


@engines
def test_a_silent_fit_prints_nothing(engine, capfd):
    changes = {"engine": engine, "callbacks": keras.callbacks.Callback(), "scoring": "r2"}
    fitted(WATCHED, engine=engine, epochs=1)  # TensorFlow, loaded by others, may log its start
    capfd.readouterr()
    fitted(WATCHED, engine=engine, epochs=2)
    fitted(STOPPING, patience=2, refit_full=True, **changes)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("network", [NETWORK, STOPPING], ids=["silent", "watched"])
def test_verbosity_changes_no_bits_and_traces_nothing(network):
    silent = fitted(network)
    before = trace_count()
    for verbose in (1, 2):
        shown = fitted(network, verbose=verbose)
        assert shown.history_ == silent.history_
        assert_array_equal(shown.predict(X), silent.predict(X))
    assert trace_count() == before
