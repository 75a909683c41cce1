"""Small weights in one vector, and back."""

import numpy as np
import pytest
import tensorflow as tf

from skdense import KerasDenseRegressor
from skdense._networks.network import Network
from skdense._networks.stages import (
    Activation,
    Dense,
    LearnedScale,
    Normalization,
    PiecewiseLinear,
    RobustScaling,
)
from skdense._networks.stages.stage import Kind
from skdense._training.optimizers import Nadam
from skdense._training.packing import Packing
from skdense._training.program_spec import State
from skdense._training.snapshots import read_snapshot, take_snapshot

N_MEMBERS = 2
LINEAR = Activation("linear")


class Matrix(Dense):
    """A dense layer without a bias."""

    @property
    def weight_specs(self):
        return {"kernel": super().weight_specs["kernel"]}


def network_of(*stages):
    return Network(stages[0].n_inputs, stages, LINEAR)


# A kernel of 1,600 numbers lies alone.
SMALL = network_of(Dense(3, 4), LINEAR, Dense(4, 2))
LARGE = network_of(Dense(40, 40), LINEAR, Dense(40, 1))
NORMALIZED = network_of(Dense(3, 4), Normalization(4), Dense(40, 40))
SIZE_ONE = network_of(Dense(1, 1))
# Fitted weights, and two groups: without weight decay on what lies before dense layers.
EMBEDDING = RobustScaling(3), PiecewiseLinear(3, (0, 1), 2, 4), LearnedScale(5)
EMBEDDED = Network(3, (*EMBEDDING, Dense(5, 2)), LINEAR)
ALONE = network_of(Matrix(40, 40), Matrix(40, 30), Matrix(50, 40))

networks = pytest.mark.parametrize(
    ("network", "groups"),
    [
        (SMALL, ((0, 1, 2, 3),)),
        (LARGE, ((0,), (1, 2, 3))),
        (NORMALIZED, ((4,), (0, 1, 2, 3, 5))),
        (SIZE_ONE, ((0, 1),)),
        (EMBEDDED, ((3, 4), (0, 1, 2))),
        (ALONE, ((0,), (1,), (2,))),
    ],
    ids=["small", "large", "normalized", "size_one", "embedded", "alone"],
)


# Arrays of NumPy outside of programs, and tensors inside.
kinds = pytest.mark.parametrize("kind", [np.asarray, tf.constant], ids=["arrays", "tensors"])


def drawn(network, kind=np.asarray):
    """Return weights for each member, no two numbers alike."""
    rng = np.random.default_rng(0)
    return [
        {
            name: kind(rng.random((N_MEMBERS, *spec.shape)))
            for name, spec in stage.weight_specs.items()
        }
        for stage in network.stages
    ]


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_weights_equal(ours, theirs):
    for own, other in zip(ours, theirs, strict=True):
        assert list(own) == list(other)
        assert_equal(own.values(), other.values())


@networks
@kinds
def test_small_weights_lie_together_and_large_ones_alone(kind, network, groups):
    weights = network.trained(drawn(network, kind))
    packing = Packing.of(network)
    packed = packing.pack(weights)
    assert packing.groups == groups
    assert sum(np.size(array) for array in packed) == sum(np.size(w) for w in weights)
    assert_equal(packing.unpack(packed), weights)


@networks
@kinds
def test_weights_come_back_with_their_names_and_statistics(kind, network, groups):
    weights = drawn(network, kind)
    packing = Packing.of(network)
    packed = packing.pack(network.trained(weights))
    moving, fitted = (network.of_kind(weights, each) for each in (Kind.MOVING, Kind.FITTED))
    assert_weights_equal(packing.unpack_weights(packed, moving, fitted), weights)


@networks
@kinds
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_penalties_are_on_dense_kernels_alone(dtype, kind, network, groups):
    weights = drawn(network, lambda array: kind(array.astype(dtype)))
    packing = Packing.of(network)
    penalised = packing.penalised(packing.pack(network.trained(weights)))
    assert {np.asarray(array).dtype for array in penalised} == {np.dtype(dtype)}
    kernels = [
        own["kernel"]
        for stage, own in zip(network.stages, weights, strict=True)
        if isinstance(stage, Dense)
    ]
    found, expected = (sum(np.sum(np.square(a)) for a in each) for each in (penalised, kernels))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@networks
def test_one_number_per_member_stands_for_its_group(network, groups):
    packing = Packing.of(network)
    weights = network.trained(drawn(network))
    like = [Nadam().init(array)[2:] for array in packing.pack(weights)]
    per_member = np.array([0.25, 0.5])
    numbers = [(per_member.reshape(-1, *[1] * (w.ndim - 1)),) for w in weights]
    packed = packing.pack_slots(numbers, like)
    for (slot,), (start,) in zip(packed, like, strict=True):
        np.testing.assert_array_equal(slot, per_member.reshape(start.shape))
    for ours, theirs in zip(packing.unpack_slots(packed), numbers, strict=True):
        assert_equal(ours, theirs)


@networks
@pytest.mark.parametrize("n_slots", [0, 1, 3])
def test_slots_are_packed_like_their_weights(n_slots, network, groups):
    weights = network.trained(drawn(network))
    packing = Packing.of(network)
    like = [(array,) * n_slots for array in packing.pack(weights)]
    slots = [tuple(w + number for number in range(n_slots)) for w in weights]
    packed = packing.pack_slots(slots, like)
    assert [[slot.shape for slot in own] for own in packed] == [
        [slot.shape for slot in own] for own in like
    ]
    for ours, theirs in zip(packing.unpack_slots(packed), slots, strict=True):
        assert_equal(ours, theirs)


@networks
@kinds
def test_snapshots_of_some_members_become_their_weights(kind, network, groups):
    packing = Packing.of(network)

    def state_of(weights):
        packed = packing.pack(network.trained(weights))
        return State(packed, [()] * len(packed), network.of_kind(weights, Kind.MOVING), 3)

    state = state_of(drawn(network, kind))
    vectors = np.asarray(take_snapshot(state))
    assert vectors.shape[0] == N_MEMBERS
    for member in range(N_MEMBERS):
        read = read_snapshot(vectors[member : member + 1], state)
        assert_equal(read.packed, [array[member : member + 1] for array in state.packed])
        theirs = [
            {name: array[member : member + 1] for name, array in own.items()}
            for own in state.moving
        ]
        assert_weights_equal(read.moving, theirs)
        assert read.step == 3


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "nadam"])
def test_a_network_of_one_input_and_one_output_trains_as_in_keras(optimizer):
    x = np.random.default_rng(0).standard_normal((40, 1))
    network = KerasDenseRegressor(
        depth=0, epochs=3, batch_size=16, optimizer=optimizer, dtype="float64", random_state=0
    )
    compiled = network.fit(x, 2 * x[:, 0]).predict(x)
    keras = network.set_params(engine="keras").fit(x, 2 * x[:, 0]).predict(x)
    np.testing.assert_allclose(compiled, keras, rtol=1e-9)
