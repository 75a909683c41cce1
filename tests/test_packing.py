"""Small weights in one vector, and back."""

import numpy as np
import pytest
import tensorflow as tf

from skdense import KerasDenseRegressor
from skdense.training.packing import Packing, flat, moving_statistics, trainable, unflatten

N_MEMBERS = 2
# Kernel, bias and so on of each stage, without the member axis; one of 1,600 numbers lies alone.
SMALL = [{"kernel": (3, 4), "bias": (4,)}, {}, {"kernel": (4, 2), "bias": (2,)}]
LARGE = [{"kernel": (40, 40), "bias": (40,)}, {}, {"kernel": (40, 1), "bias": (1,)}]
NORMALIZED = [
    {"kernel": (3, 4), "bias": (4,)},
    {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
    {"kernel": (40, 40), "bias": (40,)},
]
SIZE_ONE = [{"kernel": (1, 1), "bias": (1,)}]
ALONE = [{"kernel": (40, 40)}, {"kernel": (40, 3)}, {"kernel": (50, 40)}]

networks = pytest.mark.parametrize(
    ("shapes", "groups"),
    [
        (SMALL, ((0, 1, 2, 3),)),
        (LARGE, ((0,), (1, 2, 3))),
        (NORMALIZED, ((4,), (0, 1, 2, 3, 5))),
        (SIZE_ONE, ((0, 1),)),
        (ALONE, ((0,), (1,), (2,))),
    ],
    ids=["small", "large", "normalized", "size_one", "alone"],
)


def drawn(shapes):
    """Return weights of these shapes for each member, no two numbers alike."""
    rng = np.random.default_rng(0)
    return [
        {name: tf.constant(rng.random((N_MEMBERS, *shape))) for name, shape in stage.items()}
        for stage in shapes
    ]


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@networks
def test_small_weights_lie_together_and_large_ones_alone(shapes, groups):
    weights = drawn(shapes)
    packing = Packing.of(weights)
    packed = packing.pack(trainable(weights))
    assert packing.groups == groups
    assert sum(int(tf.size(tensor)) for tensor in packed) == sum(
        int(tf.size(w)) for w in trainable(weights)
    )
    assert_equal(packing.unpack(packed), trainable(weights))


@networks
def test_weights_come_back_with_their_names_and_statistics(shapes, groups):
    weights = drawn(shapes)
    packing = Packing.of(weights)
    packed = packing.pack(trainable(weights))
    unpacked = packing.unpack_weights(packed, moving_statistics(weights))
    assert [list(stage) for stage in unpacked] == [list(stage) for stage in shapes]
    for ours, theirs in zip(unpacked, weights, strict=True):
        assert_equal(ours.values(), theirs.values())


@networks
def test_one_number_per_member_stands_for_its_group(shapes, groups):
    weights = drawn(shapes)
    packing = Packing.of(weights)
    per_member = np.array([0.25, 0.5])
    numbers = [
        tf.constant(per_member.reshape(-1, *[1] * (len(w.shape) - 1))) for w in trainable(weights)
    ]
    packed = packing.pack(numbers)
    for tensor in packed:
        np.testing.assert_array_equal(np.reshape(tensor, (N_MEMBERS, -1))[:, 0], per_member)
    assert_equal(packing.unpack(packed), numbers)


@networks
@pytest.mark.parametrize("n_slots", [0, 1, 3])
def test_slots_are_packed_like_their_weights(n_slots, shapes, groups):
    weights = trainable(drawn(shapes))
    packing = Packing.of(drawn(shapes))
    slots = [tuple(w + number for number in range(n_slots)) for w in weights]
    packed = packing.pack_slots(slots)
    assert [len(own) for own in packed] == [n_slots] * len(groups)
    for ours, theirs in zip(packing.unpack_slots(packed), slots, strict=True):
        assert_equal(ours, theirs)


@networks
def test_a_members_vector_becomes_its_weights(shapes, groups):
    weights = drawn(shapes)
    vectors = flat(tf.nest.flatten(weights)).numpy()
    for member, vector in enumerate(vectors):
        for ours, theirs in zip(unflatten(vector, weights), weights, strict=True):
            assert_equal(ours.values(), [w[member] for w in theirs.values()])


@pytest.mark.parametrize("optimizer", ["sgd", "nadam"])
def test_a_network_of_one_input_and_one_output_trains_as_in_keras(optimizer):
    x = np.random.default_rng(0).standard_normal((40, 1))
    network = KerasDenseRegressor(
        depth=0, epochs=3, batch_size=16, optimizer=optimizer, dtype="float64", random_state=0
    )
    compiled = network.fit(x, 2 * x[:, 0]).predict(x)
    keras = network.set_params(engine="keras").fit(x, 2 * x[:, 0]).predict(x)
    np.testing.assert_allclose(compiled, keras, rtol=1e-9)
