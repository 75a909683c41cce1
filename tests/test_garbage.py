"""Garbage collection while programs are traced, and afterwards."""

import gc
import weakref

import pytest

from skdense import KerasDenseRegressor
from skdense._backend.garbage import collected_later, counted_as_old
from skdense._training import program


@pytest.fixture(autouse=True)
def nothing_frozen():
    """Thaw for the test what the tests keep frozen."""
    gc.unfreeze()
    yield
    gc.freeze()


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


@pytest.fixture
def oldest():
    """Say whether an object is among those that are collected last."""
    return lambda sought: any(found is sought for found in gc.get_objects(generation=2))


def test_what_is_made_counts_as_old_at_once(oldest):
    with counted_as_old():
        made = [[]]
        assert not oldest(made)
    assert oldest(made)
    assert not gc.get_freeze_count()
    assert gc.isenabled()


def test_garbage_made_before_is_still_collected():
    class Ring:
        pass

    ring = Ring()
    ring.itself = ring
    freed = weakref.ref(ring)
    del ring
    with counted_as_old():
        pass
    gc.collect()
    assert freed() is None


def test_what_the_user_froze_stays_frozen_and_no_more():
    frozen = [[]]
    gc.freeze()
    try:
        with counted_as_old():
            made = [[]]
        collected = gc.get_objects()
        assert not any(found is frozen for found in collected)
        assert any(found is made for found in collected)
    finally:
        gc.unfreeze()


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
