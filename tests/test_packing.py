"""Small weights in one vector, and back."""

import numpy as np
import pytest
import tensorflow as tf

from skdense import KerasDenseRegressor
from skdense._networks.network import Network
from skdense._networks.stages import Activation, Dense, Normalization
from skdense._networks.stages.stage import Kind
from skdense._training.packing import Packing, flat, unflatten

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
ALONE = network_of(Matrix(40, 40), Matrix(40, 30), Matrix(50, 40))

networks = pytest.mark.parametrize(
    ("network", "groups"),
    [
        (SMALL, ((0, 1, 2, 3),)),
        (LARGE, ((0,), (1, 2, 3))),
        (NORMALIZED, ((4,), (0, 1, 2, 3, 5))),
        (SIZE_ONE, ((0, 1),)),
        (ALONE, ((0,), (1,), (2,))),
    ],
    ids=["small", "large", "normalized", "size_one", "alone"],
)


def drawn(network):
    """Return weights for each member, no two numbers alike."""
    rng = np.random.default_rng(0)
    return [
        {
            name: tf.constant(rng.random((N_MEMBERS, *spec.shape)))
            for name, spec in stage.weight_specs.items()
        }
        for stage in network.stages
    ]


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@networks
def test_small_weights_lie_together_and_large_ones_alone(network, groups):
    weights = drawn(network)
    packing = Packing.of(network, weights)
    packed = packing.pack(network.trained(weights))
    assert packing.groups == groups
    assert sum(int(tf.size(tensor)) for tensor in packed) == sum(
        int(tf.size(w)) for w in network.trained(weights)
    )
    assert_equal(packing.unpack(packed), network.trained(weights))


@networks
def test_weights_come_back_with_their_names_and_statistics(network, groups):
    weights = drawn(network)
    packing = Packing.of(network, weights)
    packed = packing.pack(network.trained(weights))
    unpacked = packing.unpack_weights(packed, network.of_kind(weights, Kind.MOVING))
    assert [list(stage) for stage in unpacked] == [
        list(stage.weight_specs) for stage in network.stages
    ]
    for ours, theirs in zip(unpacked, weights, strict=True):
        assert_equal(ours.values(), theirs.values())


@networks
def test_one_number_per_member_stands_for_its_group(network, groups):
    weights = drawn(network)
    packing = Packing.of(network, weights)
    per_member = np.array([0.25, 0.5])
    numbers = [
        tf.constant(per_member.reshape(-1, *[1] * (len(w.shape) - 1)))
        for w in network.trained(weights)
    ]
    packed = packing.pack(numbers)
    for tensor in packed:
        np.testing.assert_array_equal(np.reshape(tensor, (N_MEMBERS, -1))[:, 0], per_member)
    assert_equal(packing.unpack(packed), numbers)


@networks
@pytest.mark.parametrize("n_slots", [0, 1, 3])
def test_slots_are_packed_like_their_weights(n_slots, network, groups):
    weights = network.trained(drawn(network))
    packing = Packing.of(network, drawn(network))
    slots = [tuple(w + number for number in range(n_slots)) for w in weights]
    packed = packing.pack_slots(slots)
    assert [len(own) for own in packed] == [n_slots] * len(groups)
    for ours, theirs in zip(packing.unpack_slots(packed), slots, strict=True):
        assert_equal(ours, theirs)


@networks
def test_a_members_vector_becomes_its_weights(network, groups):
    weights = drawn(network)
    vectors = flat(tf.nest.flatten(weights)).numpy()
    for member, vector in enumerate(vectors):
        for ours, theirs in zip(unflatten(vector, weights), weights, strict=True):
            assert_equal(ours.values(), [w[member] for w in theirs.values()])


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
