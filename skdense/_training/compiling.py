"""Programs that are compiled while others train."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .batches import allocate_chunk
from .networks import specify_program
from .program import get_program, has_room_for
from .program_spec import NUMBERS, ChunkTensors, State
from .task import TrainingTask
from .training_steps import start_slots


@contextlib.contextmanager
def compiled_ahead(programs: list[tuple[TrainingTask, int]]) -> Iterator[None]:
    """Compile programs in another thread, one after the other, each of a task and a batch's size.

    Who needs one meanwhile waits until it is there. What fails here fails there too, and is told
    there.
    """
    if not programs:
        yield
        return
    with ThreadPoolExecutor(1) as thread:
        for task, n_members in programs:
            thread.submit(_compile, task, n_members)
        try:
            yield
        finally:
            thread.shutdown(cancel_futures=True)


def _compile(task: TrainingTask, n_members: int) -> None:
    """Have a program take no step."""
    spec = specify_program(task, n_members)
    program = get_program(spec)
    if program.is_compiled or not has_room_for(spec):
        return
    weights = [
        {
            name: np.zeros((n_members, *w.shape), spec.dtype)
            for name, w in stage.weight_specs.items()
        }
        for stage in spec.network.stages
    ]
    state = State(weights, start_slots(spec, weights), np.array(0, np.int64))
    chunk = allocate_chunk(task, n_members, spec.n_steps)
    data = ChunkTensors(
        X=chunk.X,
        y=chunk.y,
        share=chunk.share,
        seed=chunk.seed,
        learning_rate=np.zeros((spec.n_steps, n_members), np.float32),
        ends=np.zeros(max(1, spec.n_snapshots), np.int32),
        n_ends=np.int32(0),
    )
    numbers = {
        name: np.array([read(task)] * n_members, spec.dtype) for name, read in NUMBERS.items()
    }
    program(state, data, numbers)
