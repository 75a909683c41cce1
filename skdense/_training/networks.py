"""Networks on their way through the compiled program: their state, and running epochs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._backend.keras_objects import KerasObject
from .._networks.network import Network, Weights
from .._networks.stages.stage import Kind, StageTensors
from .._networks.widening import crop, crop_weights, pad, pad_weights, trained_shapes
from .batches import (
    Chunk,
    EpochPlan,
    allocate_chunk,
    count_rows_of_batches,
    gather,
    plan_epochs,
    snapshots_per_chunk,
    steps_per_chunk,
)
from .initializers import draw_or_resume_weights
from .optimizers import Slots
from .packing import Packing
from .prefetching import one_ahead
from .program import get_program
from .program_spec import NUMBERS, Batches, ChunkTensors, Numbers, ProgramSpec, State
from .schedules import learning_rates
from .snapshots import read_snapshot
from .task import Members, OptimizerState, TrainingTask
from .together import end_if_told

ENGINE = "compiled"

Logs = dict[str, list[float]]
Array = NDArray[Any]


def specify_program(task: TrainingTask, n_members: int = 1) -> ProgramSpec:
    """Return what the program of a task, or of so many like it, is compiled for."""
    rule = task.optimizer.rule
    assert rule is not None, "tasks without an update rule go to the Keras engine"
    return ProgramSpec(
        network=task.compiled_network,
        loss=task.loss,
        metrics=task.metrics,
        rule=rule,
        clipping=task.optimizer.clipping,
        penalties=(task.numbers["l1"] > 0, task.numbers["l2"] > 0),
        decays_weights=task.optimizer.weight_decay is not None,
        n_members=n_members,
        n_steps=steps_per_chunk(task, n_members),
        n_snapshots=_n_snapshots(task, n_members),
        batch_size=task.batch_size,
        n_target_columns=task.y.shape[1],
        dtype=task.dtype,
    )


def optimizer_owner(task: TrainingTask) -> tuple[str, ...]:
    """Return what has to be the same for an optimizer's state to go on."""
    rule = task.optimizer.rule
    assert rule is not None
    return ENGINE, task.optimizer.keras.class_name, *rule.slot_names


def _n_snapshots(task: TrainingTask, n_members: int) -> int:
    """Return how many epochs of one call leave their weights; 0 where a call ends with each."""
    if not task.needs_snapshots:
        return 0
    number = snapshots_per_chunk(task, n_members)
    return number if number > 1 else 0


class _Piece(NamedTuple):
    """What one call of the program takes of a block of epochs."""

    epochs: range
    plans: list[EpochPlan]
    steps: slice
    ends_block: bool


class Networks:
    """The networks of some tasks, which share one program.

    Attributes
    ----------
    tasks : list of TrainingTask
        One for each member.
    spec : ProgramSpec
    state : State
    rate : float, KerasObject of a schedule, or None
        Learning rate in place of the tasks' own.
    """

    def __init__(self, tasks: list[TrainingTask]) -> None:
        self.tasks = tasks
        self.spec = specify_program(tasks[0], len(tasks))
        self._packing = Packing.of(self.spec.network)
        self.state = self._start()
        self.rate: float | KerasObject | None = None
        self._numbers = _read_numbers(tasks)
        self._first_step = int(self.state.step)
        self._before = self.state
        self._ran = range(0)
        self._rate_of_run: float | KerasObject | None = None
        self._snapshots: Any = None
        self._memory: deque[Chunk] = deque()

    def _start(self) -> State:
        weights = [draw_or_resume_weights(task) for task in self.tasks]
        packed, moving, self._fitted = self._pack(weights)
        slots = [self.spec.rule.init(array) for array in packed]
        owner = optimizer_owner(self.tasks[0])
        states = [s for task in self.tasks if (s := task.resumed_optimizer(owner))]
        if states:
            slots = _resume_slots(self._packing, states, like=slots)
        # Counted in int64: int32 ends after 9 hours of short steps.
        step = np.int64(states[0].n_steps if states else 0)
        return State(packed, slots, moving, step)

    def _pack(
        self, members: list[Weights]
    ) -> tuple[list[Array], list[StageTensors], list[StageTensors]]:
        """Return members' weights as the program has them: packed ones, moving, fitted ones."""
        network = self.spec.network
        weights = _stack(members, network)
        packed = self._packing.pack(network.trained(weights))
        moving, fitted = (network.of_kind(weights, kind) for kind in (Kind.MOVING, Kind.FITTED))
        return packed, moving, fitted

    def run(self, epochs: range) -> list[Logs]:
        """Run some epochs; returns loss and metrics of each epoch, for each member.

        Epochs that are followed one by one have to fit in a chunk; see `epoch_weights`.
        """
        self._before = self.state  # of arrays, which no step changes in place
        [(_, logs)] = self._stream([epochs])
        self._ran = epochs
        return logs

    def go_back_to(self, epochs: range) -> None:
        """Undo the last ones of the epochs that `run` ran, by running the first ones again."""
        if len(epochs) == len(self._ran):
            return
        self.state = self._before
        if epochs:
            self.run(epochs)
        self._ran = epochs

    def run_each(
        self, blocks: Iterable[range], *, are_known_ahead: bool
    ) -> Iterator[tuple[range, list[Logs]]]:
        """Run blocks of epochs; yields each with what `run` returns of it.

        Where they are known ahead, the next one is drawn, and its rows are gathered, while one
        runs; else only after the caller has looked at it.
        """
        if are_known_ahead:
            yield from self._stream(blocks)
            return
        for epochs in blocks:
            yield epochs, self.run(epochs)

    def _stream(self, blocks: Iterable[range]) -> Iterator[tuple[range, list[Logs]]]:
        self._rate_of_run = self.rate
        program, state, values = get_program(self.spec), self.state, []
        for piece, chunk in one_ahead(self._gathered, self._pieces(blocks)):
            end_if_told()
            ends = self._ends(chunk.n_steps, len(piece.epochs))
            data = self._tensors(chunk, int(state.step), ends)
            state, own, self._snapshots = program(state, self._fitted, data, self._numbers)
            state = state._replace(step=state.step + chunk.n_steps)
            values.append(own[: chunk.n_steps])
            if piece.ends_block:
                self.state = state
                by_member = np.concatenate(values).swapaxes(0, 1)
                means = [_average_epochs(*each) for each in zip(self.tasks, by_member, strict=True)]
                yield piece.epochs, means
                values = []

    def _pieces(self, blocks: Iterable[range]) -> Iterator[_Piece]:
        """Cut blocks of epochs into what one call of the program takes.

        Lazily, and in the caller's thread: a thread of its own would lay out the epochs in memory
        of its own, 30 MB more for a million rows.
        """
        for epochs in blocks:
            plans = [plan_epochs(task, epochs) for task in self.tasks]
            total = len(epochs) * self.tasks[0].steps_per_epoch
            for start in range(0, total, self.spec.n_steps):
                stop = min(start + self.spec.n_steps, total)
                yield _Piece(epochs, plans, slice(start, stop), ends_block=stop == total)

    def _gathered(self, piece: _Piece) -> tuple[_Piece, Chunk]:
        return piece, gather(self.tasks, piece.plans, piece.steps, self._free_memory())

    def _free_memory(self) -> Chunk:
        """Return one of two chunks in turns, of which the program may be reading the other.

        New memory for each would cost the system more than filling it does.
        """
        if len(self._memory) < 2:
            self._memory.append(allocate_chunk(self.tasks[0], len(self.tasks), self.spec.n_steps))
        self._memory.rotate()
        return self._memory[0]

    @property
    def epochs_per_call(self) -> int:
        """How many epochs one call of the program runs; 1 also where it takes several calls."""
        return max(1, self.spec.n_steps // self.tasks[0].steps_per_epoch)

    def _ends(self, n_steps: int, n_epochs: int) -> list[int]:
        """Return after which steps of a chunk to take snapshots: each epoch, or the last one."""
        per_epoch = self.tasks[0].steps_per_epoch
        if n_steps == n_epochs * per_epoch and n_epochs <= self.spec.n_snapshots:
            return [per_epoch * (number + 1) for number in range(n_epochs)]
        return [n_steps]

    def epoch_weights(self, number: int, members: Sequence[int] = (0,)) -> Members:
        """Return members' weights after one of the epochs last run, counted from 0."""
        if not self.spec.n_snapshots:
            return self.weights(members)
        snapshots = self._snapshots[number]
        return tuple(
            self._unpacked(m, read_snapshot(snapshots[m : m + 1], self.state)) for m in members
        )

    def weights(self, members: Sequence[int] = (0,)) -> Members:
        return tuple(self._unpacked(m, _state_of(self.state, m)) for m in members)

    def _unpacked(self, member: int, state: State) -> Weights:
        """Return the weights of a member, of a state that holds it alone.

        Copies, lest those that are kept as the best hold the memory of all epochs of a block.
        """
        fitted = _weights_of(self._fitted, member)
        stages = self._packing.unpack_weights(state.packed, state.moving, fitted)
        own = [{name: array[0] for name, array in stage.items()} for stage in stages]
        return tuple(crop_weights(own, self.tasks[member].network))

    def rate_in(self, epoch: int, member: int = 0) -> float:
        """Return the learning rate of the last step of an epoch that was run."""
        task, rate = self.tasks[member], self._rate_of_run
        n_epochs = epoch + 1 - task.epoch_numbers.start
        last = self._first_step + n_epochs * task.steps_per_epoch - 1
        given = task.learning_rate_from(self._first_step) if rate is None else rate
        return float(learning_rates(given, last, 1)[0])

    def replace_weights(self, weights: Weights) -> None:
        """Put other weights in place, of a single member."""
        packed, moving, self._fitted = self._pack([weights])
        self.state = self.state._replace(packed=packed, moving=moving)

    def optimizer_state(self, member: int = 0) -> OptimizerState:
        task = self.tasks[member]
        shapes = trained_shapes(task.network)
        slots = [
            tuple([crop(slot[member], shape) for slot in own])
            for own, shape in zip(self._packing.unpack_slots(self.state.slots), shapes, strict=True)
        ]
        return OptimizerState(optimizer_owner(task), int(self.state.step), slots)

    def _tensors(self, chunk: Chunk, first_step: int, ends: list[int]) -> ChunkTensors:
        rates = np.zeros((len(chunk.X), len(self.tasks)), np.float32)
        for member, task in enumerate(self.tasks):
            rate = task.learning_rate_from(self._first_step) if self.rate is None else self.rate
            rates[: chunk.n_steps, member] = learning_rates(rate, first_step, chunk.n_steps)
        return ChunkTensors(
            Batches(chunk.X, chunk.y, chunk.share, chunk.seed, rates),
            ends=np.array(ends + [0] * (max(1, self.spec.n_snapshots) - len(ends)), np.int32),
            n_ends=np.int32(len(ends)),
        )


def _state_of(state: State, member: int) -> State:
    """Return the weights of one member; slots stay those of all."""
    packed = [array[member : member + 1] for array in state.packed]
    return state._replace(packed=packed, moving=_weights_of(state.moving, member))


def _weights_of(stages: list[StageTensors], member: int) -> list[StageTensors]:
    return [{name: w[member : member + 1] for name, w in own.items()} for own in stages]


def _resume_slots(
    packing: Packing, states: Sequence[OptimizerState], like: list[Slots]
) -> list[Slots]:
    """Return members' slots as a program has them, like those of a start."""
    members = zip(*(state.slots for state in states), strict=True)
    stacked = [
        tuple(_stack_padded(*each) for each in zip(zip(*own, strict=True), new, strict=True))
        for own, new in zip(members, packing.unpack_slots(like), strict=True)
    ]
    return packing.pack_slots(stacked, like)


def _stack_padded(members: Sequence[Array], like: Array) -> Array:
    """Return an optimizer's slot of each member as those of the program are."""
    return np.stack([pad(own, like.shape[1:]) for own in members]).astype(like.dtype)


def _stack(members: list[Weights], wide: Network) -> list[dict[str, Array]]:
    padded = [pad_weights(weights, wide) for weights in members]
    return [
        {name: np.stack([own[name] for own in stage]) for name in stage[0]}
        for stage in zip(*padded, strict=True)
    ]


def _read_numbers(tasks: list[TrainingTask]) -> Numbers:
    return {
        name: np.array(list(map(read, tasks)), tasks[0].dtype) for name, read in NUMBERS.items()
    }


def _average_epochs(task: TrainingTask, values: NDArray[np.floating]) -> Logs:
    """Average loss and metrics of the steps over each epoch, by rows, as Keras does."""
    by_epoch = values.reshape(-1, task.steps_per_epoch, values.shape[1]).astype(np.float64)
    means = np.average(by_epoch, axis=1, weights=count_rows_of_batches(task))
    names = ["loss", *(metric.name for metric in task.metrics)]
    return {name: means[:, i].tolist() for i, name in enumerate(names)}
