"""The steps that the compiled program takes: what is traced, in plain TensorFlow operations.

Shapes, in einsum letters: k members, s steps, b rows of a batch, f inputs, o outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .._backend.loading import load_tensorflow
from .._networks.network import Network
from .._networks.stages.stage import Kind, StageTensors, Tensor
from .._networks.traced_forward import TracedBatch, trace_forward
from .losses import per_row_function
from .optimizers import Slots, square_root
from .packing import Packing, flat
from .program_spec import ChunkTensors, Numbers, ProgramSpec, State


def start_slots(spec: ProgramSpec, weights: list[StageTensors]) -> list[Slots]:
    """Return the optimizer's slots of every trained weight."""
    return [spec.rule.init(weight) for weight in spec.network.trained(weights)]


class _Carried(NamedTuple):
    """What the loop over steps carries on: the state, packed, without what no step changes."""

    packed: list[Tensor]
    slots: list[Slots]
    moving: list[StageTensors]
    step: Tensor


class _Layout:
    """How a state becomes what the loop carries, and back.

    Attributes
    ----------
    network : Network
    packing : Packing
    """

    def __init__(self, network: Network, state: State) -> None:
        self.network, self.packing = network, Packing.of(network, state.weights)
        # Captured by the loop, which would copy what it carries on at every step.
        self._fitted = network.of_kind(state.weights, Kind.FITTED)

    def carried(self, state: State) -> _Carried:
        return _Carried(
            self.packing.pack(self.network.trained(state.weights)),
            self.packing.pack_slots(state.slots),
            self.network.of_kind(state.weights, Kind.MOVING),
            state.step,
        )

    def weights(self, carried: _Carried) -> list[StageTensors]:
        pairs = zip(carried.moving, self._fitted, strict=True)
        others = [moving | fitted for moving, fitted in pairs]
        return self.packing.unpack_weights(carried.packed, others)

    def state(self, carried: _Carried) -> State:
        slots = self.packing.unpack_slots(carried.slots)
        return State(self.weights(carried), slots, carried.step)


def run_steps(
    spec: ProgramSpec, state: State, data: ChunkTensors, numbers: Numbers
) -> tuple[State, Tensor, Tensor]:
    """Take the steps of a chunk, and snapshots between them; this is what is traced."""
    tf = load_tensorflow()
    layout = _Layout(spec.network, state)
    # A loop, not steps written out one after the other: compiling takes as long for one step as
    # for a thousand, and the number of steps may be data.
    values = tf.zeros([spec.n_steps, spec.n_members, 1 + len(spec.metrics)], spec.dtype)

    def step(i: Tensor, carried: _Carried, values: Tensor) -> tuple[Tensor, _Carried, Tensor]:
        carried, own = _take_step(spec, layout, carried, data, numbers, i)
        return i + 1, carried, _with_row(values, i, own)

    start = tf.constant(0), layout.carried(state), values
    if spec.n_snapshots:
        carried, values, snapshots = _run_to_snapshots(spec, layout, data, step, start)
    else:
        end, snapshots = data.ends[0], tf.zeros([0], spec.dtype)
        _, carried, values = tf.while_loop(lambda i, *_: i < end, step, start)
    return layout.state(carried), values, snapshots


def _run_to_snapshots(
    spec: ProgramSpec,
    layout: _Layout,
    data: ChunkTensors,
    step: Callable[..., Any],
    start: tuple[Tensor, _Carried, Tensor],
) -> tuple[_Carried, Tensor, Tensor]:
    """Take the steps up to each snapshot in a loop of its own.

    Taken inside of the one loop over all steps, snapshots would slow every step down; two loops
    cost 0.25 s of compiling, which is why only trainings that look at weights between epochs
    have them.
    """
    tf = load_tensorflow()

    def flat_weights(carried: _Carried) -> Tensor:
        return flat(tf.nest.flatten(layout.weights(carried)))

    def steps_to_snapshot(
        number: Tensor, i: Tensor, carried: _Carried, values: Tensor, snapshots: Tensor
    ) -> tuple[Tensor, Tensor, _Carried, Tensor, Tensor]:
        end = data.ends[number]
        i, carried, values = tf.while_loop(lambda i, *_: i < end, step, (i, carried, values))
        return number + 1, i, carried, values, _with_row(snapshots, number, flat_weights(carried))

    snapshots = tf.zeros([spec.n_snapshots, *flat_weights(start[1]).shape], spec.dtype)
    _, _, carried, values, snapshots = tf.while_loop(
        lambda number, *_: number < data.n_ends, steps_to_snapshot, (0, *start, snapshots)
    )
    return carried, values, snapshots


def _with_row(array: Tensor, i: Tensor, row: Tensor) -> Tensor:
    # Of a tensor that nobody else holds, so that XLA writes the row in place.
    tf = load_tensorflow()
    return tf.tensor_scatter_nd_update(array, [[i]], row[tf.newaxis])


def _take_step(
    spec: ProgramSpec,
    layout: _Layout,
    carried: _Carried,
    data: ChunkTensors,
    numbers: Numbers,
    i: Tensor,
) -> tuple[_Carried, Tensor]:
    """Take one step of every member; returns what it carries on, and its values, (k, 1 + m)."""
    tf = load_tensorflow()
    weights = layout.weights(carried)
    # Rows of weight 0 never come here, so that a share of 0 is padding, which batch normalization
    # and metrics leave out too.
    is_row = tf.cast(data.share[i] > 0, spec.dtype)
    batch = TracedBatch(is_row, data.seed[i], numbers["of_stages"])
    outputs, after = trace_forward(spec.network, weights, data.X[i], batch)
    losses = _trace_batch_loss(spec, outputs, data.y[i], data.share[i])
    losses += _trace_penalties(spec, weights, numbers)
    # Members do not touch each other's weights, so the gradient of the sum is each one's own.
    gradients = tf.gradients(losses, spec.network.trained(weights))
    gradients = layout.packing.pack(_clip(spec.clipping, gradients, numbers["clip_bound"]))
    rates = tf.cast(data.learning_rate[i], spec.dtype)
    decay = numbers["weight_decay"] if spec.decays_weights else None
    packed, slots = _update(spec, layout.packing, carried, gradients, rates, decay)
    values = [losses, *_trace_batch_metrics(spec, outputs, data.y[i], is_row)]
    # Moving weights come from the forward pass of this step, as in Keras; fitted ones stay.
    moving = spec.network.of_kind(after, Kind.MOVING)
    carried = _Carried(packed, slots, moving, carried.step + 1)
    return carried, tf.stack(values, axis=1)


def _update(
    spec: ProgramSpec,
    packing: Packing,
    carried: _Carried,
    gradients: list[Tensor],
    rates: Tensor,
    weight_decay: Tensor | None,
) -> tuple[list[Tensor], list[Slots]]:
    """Return packed weights and slots after the optimizer's step; rates and decay are (k,)."""
    tf = load_tensorflow()
    step = tf.cast(carried.step + 1, spec.dtype)
    updated, slots = [], []
    parts = zip(carried.packed, gradients, carried.slots, packing.decayed, strict=True)
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


def _trace_penalties(spec: ProgramSpec, weights: list[StageTensors], numbers: Numbers) -> Tensor:
    """Return the penalties on kernels as Keras' L1L2 defines them, (k,)."""
    tf = load_tensorflow()
    has_l1, has_l2 = spec.penalties
    total = tf.zeros([spec.n_members], spec.dtype)
    for weight in spec.network.penalised(weights):
        axes = list(range(1, len(weight.shape)))
        if has_l1:
            total += numbers["l1"] * tf.reduce_sum(tf.abs(weight), axis=axes)
        if has_l2:
            total += numbers["l2"] * tf.reduce_sum(tf.square(weight), axis=axes)
    return total


def _clip(clipping: str | None, gradients: list[Tensor], bound: Tensor) -> list[Tensor]:
    """Clip the gradients of each member as ``keras.optimizers`` do."""
    tf = load_tensorflow()
    if clipping is None:
        return gradients
    if clipping == "clipvalue":
        return [tf.clip_by_value(g, -_like(bound, g), _like(bound, g)) for g in gradients]
    squares = [tf.reduce_sum(tf.square(g), axis=list(range(1, len(g.shape)))) for g in gradients]
    if clipping == "global_clipnorm":
        squares = [tf.add_n(squares)] * len(squares)
    return [
        g * _like(bound / tf.maximum(square_root(square), bound), g)
        for g, square in zip(gradients, squares, strict=True)
    ]
