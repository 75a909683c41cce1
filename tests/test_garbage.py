"""Garbage collection while programs are traced, and afterwards."""

import gc

import pytest

from skdense import KerasDenseRegressor
from skdense._backend.garbage import collected_later
from skdense._training import program


def test_garbage_is_collected_later():
    with collected_later():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collection_goes_on_after_an_error():
    with pytest.raises(KeyError), collected_later():
        raise KeyError
    assert gc.isenabled()


def test_what_the_user_switched_off_stays_off():
    gc.disable()
    try:
        with collected_later():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_programs_are_traced_without_collection(monkeypatch):
    collecting = []

    def run(*args):
        collecting.append(gc.isenabled())
        return traced(*args)

    traced = program.run_steps
    monkeypatch.setattr(program, "run_steps", run)
    KerasDenseRegressor(units=37, epochs=1).fit([[0.0], [1.0]], [0.0, 1.0])
    assert collecting == [False]
    assert gc.isenabled()
