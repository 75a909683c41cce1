"""Training on the compiled engine: epochs of chunks, their losses, and when to stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _tensorflow
from .._network import Weights
from .batches import Chunk, batch_lengths, gather, plan_epochs, steps_per_chunk
from .initializers import starting_weights
from .program import Data, Numbers, ProgramSpec, State, get_program, initial_slots
from .progress import Progress
from .schedules import learning_rates
from .task import TrainingResult, TrainingTask, require_finite


def program_spec(task: TrainingTask, n_members: int = 1) -> ProgramSpec:
    """Return what the program of a task, or of so many like it, is compiled for."""
    rule = task.optimizer.rule
    assert rule is not None, "tasks without an update rule go to the Keras engine"
    return ProgramSpec(
        network=task.network,
        loss=task.loss,
        rule=rule,
        clipping=task.optimizer.clipping,
        penalties=(task.l1 > 0, task.l2 > 0),
        decays_weights=task.optimizer.weight_decay is not None,
        n_members=n_members,
        n_steps=steps_per_chunk(task, n_members),
        batch_size=task.batch_size,
        n_target_columns=task.y.shape[1],
        dtype=task.dtype,
    )


def train_compiled(tasks: list[TrainingTask]) -> list[TrainingResult]:
    """Train networks of one program as one batch; all have equal epochs and steps."""
    spec = program_spec(tasks[0], len(tasks))
    progress = Progress(tasks[0].verbose, tasks[0].epochs)
    state = _initial_state(spec, [starting_weights(task) for task in tasks])
    numbers = _numbers(tasks)
    histories: list[list[float]] = [[] for _ in tasks]
    for epochs in _epoch_blocks(tasks[0], spec.n_steps if progress.is_silent else 1):
        state, losses = _run_epochs(spec, tasks, state, numbers, epochs)
        for task, history, own in zip(tasks, histories, losses, strict=True):
            means = _epoch_means(task, own)
            require_finite(task, means, epochs.start)
            history += means
        for epoch in epochs:
            progress.epoch_ended(epoch, {"loss": histories[0][epoch]})
    return [
        TrainingResult(weights, {"loss": history}, "compiled")
        for weights, history in zip(_per_member(state, len(tasks)), histories, strict=True)
    ]


def _epoch_blocks(task: TrainingTask, n_steps: int) -> Iterator[range]:
    """Group the epochs: as many as fit in `n_steps` steps, or one by one."""
    size = max(1, n_steps // task.steps_per_epoch)
    for first in range(0, task.epochs, size):
        yield range(first, min(first + size, task.epochs))


def _run_epochs(
    spec: ProgramSpec, tasks: list[TrainingTask], state: State, numbers: Numbers, epochs: range
) -> tuple[State, NDArray[np.floating]]:
    """Run some epochs; returns the state and the losses of the steps, (members, steps)."""
    program = get_program(spec)
    plans = [plan_epochs(task, epochs) for task in tasks]
    done, total = epochs.start * tasks[0].steps_per_epoch, len(plans[0].rows)
    losses = []
    for start in range(0, total, spec.n_steps):
        steps = slice(start, min(start + spec.n_steps, total))
        chunk = gather(tasks, plans, steps, spec.n_steps)
        state, loss = program(state, _tensors(tasks, chunk, done + start), numbers)
        losses.append(loss.numpy()[: chunk.n_steps])
    return state, np.concatenate(losses).T


def _initial_state(spec: ProgramSpec, members: list[Weights]) -> State:
    tf, _ = _tensorflow.load()
    weights = [
        {name: tf.constant(np.stack([own[name] for own in stage])) for name in stage[0]}
        for stage in zip(*members, strict=True)
    ]
    return State(weights, initial_slots(spec.rule, weights), tf.constant(0))


def _per_member(state: State, n_members: int) -> list[Weights]:
    arrays = [{name: w.numpy() for name, w in stage.items()} for stage in state.weights]
    return [
        tuple({name: w[member] for name, w in stage.items()} for stage in arrays)
        for member in range(n_members)
    ]


def _tensors(tasks: list[TrainingTask], chunk: Chunk, first_step: int) -> Data:
    tf, _ = _tensorflow.load()
    rates = np.zeros((len(chunk.X), len(tasks)), np.float32)
    for member, task in enumerate(tasks):
        rate = task.optimizer.learning_rate
        rates[: chunk.n_steps, member] = learning_rates(rate, first_step, chunk.n_steps)
    return Data(
        X=tf.constant(chunk.X),
        y=tf.constant(chunk.y),
        share=tf.constant(chunk.share),
        dropout_seed=tf.constant(chunk.dropout_seed),
        learning_rate=tf.constant(rates),
        n_steps=tf.constant(chunk.n_steps),
    )


def _numbers(tasks: list[TrainingTask]) -> Numbers:
    tf, _ = _tensorflow.load()

    def per_member(values: Iterable[Any]) -> Any:
        return tf.constant(np.array(list(values), tasks[0].dtype))

    return Numbers(
        l1=per_member(task.l1 for task in tasks),
        l2=per_member(task.l2 for task in tasks),
        weight_decay=per_member(task.optimizer.weight_decay or 0.0 for task in tasks),
        clip_bound=per_member(task.optimizer.clip_bound for task in tasks),
        dropout_rates=per_member(task.network.dropout_rates for task in tasks),
    )


def _epoch_means(task: TrainingTask, losses: NDArray[np.floating]) -> list[float]:
    """Average the losses of the steps over each epoch, by rows, as Keras does."""
    by_epoch = losses.reshape(-1, task.steps_per_epoch).astype(np.float64)
    means: list[float] = np.average(by_epoch, axis=1, weights=batch_lengths(task)).tolist()
    return means
