"""The steps that the compiled program takes: what is traced, in plain TensorFlow operations.

Shapes, in einsum letters: k members, s steps, b rows of a batch, f inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._backend.loading import load_tensorflow
from .._networks.stages.stage import Kind, StageTensors, Tensor
from .._networks.traced_forward import TracedBatch, trace_forward
from .losses import per_row_function
from .optimizers import Slots, square_root
from .packing import Packing
from .program_spec import ChunkTensors, Numbers, ProgramSpec, State
from .snapshots import take_snapshot


def run_steps(
    spec: ProgramSpec,
    state: State,
    fitted: list[StageTensors],
    data: ChunkTensors,
    numbers: Numbers,
    values: Tensor,
) -> tuple[State, Tensor, Tensor]:
    """Take the steps of a chunk, and snapshots between them; this is what is traced.

    `values` is what the values of each step are written into, of `ProgramSpec.shape_of_values`.
    """
    tf = load_tensorflow()

    def step(i: Tensor, state: State, values: Tensor) -> tuple[Tensor, State, Tensor]:
        # Fitted weights are captured by the loop, which would copy what it carries on at every
        # step.
        state, own = _take_step(spec, state, fitted, data, numbers, i)
        return i + 1, state, _with_row(values, i, own)

    # A loop, not steps written out one after the other: compiling takes as long for one step as
    # for a thousand, and the number of steps may be data.
    start = tf.constant(0), state, values
    if spec.n_snapshots:
        return _run_to_snapshots(spec, data, step, start)
    end = data.ends[0]
    _, state, values = tf.while_loop(lambda i, *_: i < end, step, start)
    return state, values, tf.zeros([0], spec.dtype)


def _run_to_snapshots(
    spec: ProgramSpec,
    data: ChunkTensors,
    step: Callable[..., Any],
    start: tuple[Tensor, State, Tensor],
) -> tuple[State, Tensor, Tensor]:
    """Take the steps up to each snapshot in a loop of its own.

    Taken inside of the one loop over all steps, snapshots would slow every step down; two loops
    cost 0.25 s of compiling, which is why only trainings that look at weights between epochs
    have them.
    """
    tf = load_tensorflow()

    def steps_to_snapshot(
        number: Tensor, i: Tensor, state: State, values: Tensor, snapshots: Tensor
    ) -> tuple[Tensor, Tensor, State, Tensor, Tensor]:
        end = data.ends[number]
        i, state, values = tf.while_loop(lambda i, *_: i < end, step, (i, state, values))
        return number + 1, i, state, values, _with_row(snapshots, number, take_snapshot(state))

    snapshots = tf.zeros([spec.n_snapshots, *take_snapshot(start[1]).shape], spec.dtype)
    _, _, state, values, snapshots = tf.while_loop(
        lambda number, *_: number < data.n_ends, steps_to_snapshot, (0, *start, snapshots)
    )
    return state, values, snapshots


def _with_row(array: Tensor, i: Tensor, row: Tensor) -> Tensor:
    # Of a tensor that nobody else holds, so that XLA writes the row in place.
    tf = load_tensorflow()
    return tf.tensor_scatter_nd_update(array, [[i]], tf.expand_dims(row, 0))


def _take_step(
    spec: ProgramSpec,
    state: State,
    fitted: list[StageTensors],
    data: ChunkTensors,
    numbers: Numbers,
    i: Tensor,
) -> tuple[State, Tensor]:
    """Take one step of every member; returns the state after it, and its values, (k, 1 + m)."""
    tf = load_tensorflow()
    packing = Packing.of(spec.network)
    given = data.batches.at(i)
    # Rows of weight 0 never come here, so that a share of 0 is padding, which batch normalization
    # and metrics leave out too.
    is_row = tf.cast(given.share > 0, spec.dtype)
    batch = TracedBatch(is_row, given.seed, numbers["of_stages"])
    weights = packing.unpack_weights(state.packed, state.moving, fitted)
    outputs, after = trace_forward(spec.network, weights, given.X, batch)
    losses = _trace_batch_loss(spec, outputs, given.y, given.share)
    losses += _trace_penalties(spec, packing, state.packed, numbers)
    gradients = _gradients(spec, packing, losses, state.packed, numbers)
    rates = tf.cast(given.learning_rate, spec.dtype)
    decay = numbers["weight_decay"] if spec.decays_weights else None
    n_steps = state.step + tf.cast(i + 1, tf.int64)
    packed, slots = _update(spec, packing, state, gradients, rates, decay, n_steps)
    values = [losses, *_trace_batch_metrics(spec, outputs, given.y, is_row)]
    # Moving weights come from the forward pass of this step, as in Keras; fitted ones stay.
    moving = spec.network.of_kind(after, Kind.MOVING)
    return State(packed, slots, moving, state.step), tf.stack(values, axis=1)


def _gradients(
    spec: ProgramSpec, packing: Packing, losses: Tensor, packed: list[Tensor], numbers: Numbers
) -> list[Tensor]:
    """Return the gradients of the members' losses, clipped, like the packed weights."""
    tf = load_tensorflow()
    # Members do not touch each other's weights, so the gradient of the sum is each one's own.
    gradients: list[Tensor] = tf.gradients(losses, packed)
    if spec.clipping is None:
        return gradients
    of_weights = packing.unpack(gradients)
    return packing.pack(_clip(spec.clipping, of_weights, numbers["clip_bound"]))


def _update(
    spec: ProgramSpec,
    packing: Packing,
    state: State,
    gradients: list[Tensor],
    rates: Tensor,
    weight_decay: Tensor | None,
    n_steps: Tensor,
) -> tuple[list[Tensor], list[Slots]]:
    """Return packed weights and slots after the optimizer's step; rates and decay are (k,)."""
    tf = load_tensorflow()
    step = tf.cast(n_steps, spec.dtype)
    updated, slots = [], []
    parts = zip(state.packed, gradients, state.slots, packing.decayed, strict=True)
    for weight, gradient, own, is_decayed in parts:
        rate = _like(rates, weight)
        # Before the step, as Keras' optimizers do, and biases too.
        if weight_decay is not None and is_decayed:
            weight -= weight * _like(weight_decay, weight) * rate
        weight, own = spec.rule.update(gradient, weight, own, rate, step)
        updated.append(weight)
        slots.append(own)
    return updated, slots


def _like(per_member: Tensor, weight: Tensor) -> Tensor:
    """Shape (k,) to broadcast against a weight (k, ...)."""
    tf = load_tensorflow()
    return tf.reshape(per_member, [-1] + [1] * (len(weight.shape) - 1))


def _trace_batch_loss(spec: ProgramSpec, outputs: Tensor, y: Tensor, share: Tensor) -> Tensor:
    tf = load_tensorflow()
    rows = per_row_function(spec.loss)(tf.reshape(y, [-1, spec.n_target_columns]), outputs)
    per_member = tf.reshape(tf.cast(rows, spec.dtype), [spec.n_members, spec.batch_size])
    return tf.reduce_sum(per_member * share, axis=1)


def _trace_batch_metrics(
    spec: ProgramSpec, outputs: Tensor, y: Tensor, is_row: Tensor
) -> list[Tensor]:
    """Return the mean of each metric over the rows, whatever they weigh, (k,)."""
    tf = load_tensorflow()
    y = tf.reshape(y, [-1, spec.n_target_columns])
    means = []
    for metric in spec.metrics:
        rows = tf.reshape(tf.cast(metric.function(y, outputs), spec.dtype), is_row.shape)
        means.append(tf.reduce_sum(rows * is_row, axis=1) / tf.reduce_sum(is_row, axis=1))
    return means


def _trace_penalties(
    spec: ProgramSpec, packing: Packing, packed: list[Tensor], numbers: Numbers
) -> Tensor:
    """Return the penalties on kernels as Keras' L1L2 defines them, (k,)."""
    tf = load_tensorflow()
    has_l1, has_l2 = spec.penalties
    total = tf.zeros([spec.n_members], spec.dtype)
    for weight in packing.penalised(packed) if has_l1 or has_l2 else []:
        axes = list(range(1, len(weight.shape)))
        if has_l1:
            total += numbers["l1"] * tf.reduce_sum(tf.abs(weight), axis=axes)
        if has_l2:
            # In this order XLA compiles it in half the time of a square.
            total += tf.reduce_sum(weight * _like(numbers["l2"], weight) * weight, axis=axes)
    return total


def _clip(clipping: str, gradients: list[Tensor], bound: Tensor) -> list[Tensor]:
    """Clip the gradients of each member as ``keras.optimizers`` do."""
    tf = load_tensorflow()
    if clipping == "clipvalue":
        return [tf.clip_by_value(g, -_like(bound, g), _like(bound, g)) for g in gradients]
    squares = [tf.reduce_sum(tf.square(g), axis=list(range(1, len(g.shape)))) for g in gradients]
    if clipping == "global_clipnorm":
        squares = [tf.add_n(squares)] * len(squares)
    return [
        g * _like(bound / tf.maximum(square_root(square), bound), g)
        for g, square in zip(gradients, squares, strict=True)
    ]
