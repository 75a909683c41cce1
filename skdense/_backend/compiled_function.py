"""Compiled functions whose code can be freed again.

XLA keeps the code of a `tf.function` that is called eagerly until the process ends: 2 to 5 MB and
125 to 400 memory mappings, of which Linux grants a process 65,530. It frees what it compiled for
a session together with that session.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .garbage import collected_later
from .loading import load_tensorflow
from .private_attributes import make_session_call

# The fast way to call a session keeps what it was given until the next call.
_MOST_BYTES_KEPT = 10_000_000


class CompiledFunction:
    """A function on tensors, traced for arguments like some first ones; compiled when called.

    Arguments and results are NumPy arrays, in any nest of tuples, lists and dicts.
    """

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        nest = load_tensorflow().nest
        traced = _trace(function, arguments)
        self._results = nest.map_structure(lambda _: None, traced.structured_outputs)
        self._call = _call_eagerly(traced) if _has_variables(traced) else _call_in_session(traced)

    def __call__(self, arguments: tuple[Any, ...]) -> Any:
        nest = load_tensorflow().nest
        return nest.pack_sequence_as(self._results, self._call(nest.flatten(arguments)))


def _trace(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    tf = load_tensorflow()
    compiled = tf.function(function, jit_compile=True, autograph=False)
    like = tf.nest.map_structure(lambda a: tf.TensorSpec(np.shape(a), a.dtype), arguments)
    with collected_later():
        # Compiled inside of a function that is not, whose graph a session can run.
        outer = tf.function(lambda *given: compiled(*given), autograph=False)
        return outer.get_concrete_function(*like)


def _has_variables(traced: Any) -> bool:
    """Say whether a function holds variables, of a user's loss, which no session can have."""
    tf = load_tensorflow()
    return any(tensor.dtype == tf.resource for tensor in traced.captured_inputs)


def _call_eagerly(traced: Any) -> Callable[[list[Any]], list[Any]]:
    tf = load_tensorflow()

    def call(flat: list[Any]) -> list[Any]:
        results = traced(*tf.nest.pack_sequence_as(traced.structured_input_signature[0], flat))
        return [tensor.numpy() for tensor in tf.nest.flatten(results)]

    return call


def _call_in_session(traced: Any) -> Callable[[list[Any]], list[Any]]:
    tf = load_tensorflow()
    definition = traced.graph.as_graph_def()
    _name_functions(definition)
    # What tracing made would take as much memory as the code: only its description is kept.
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=-1)  # the caller's thread
    # It would rewrite, in its own time, what XLA rewrites anyway.
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    session = tf.compat.v1.Session(graph=graph, config=config)
    n_bytes = sum(math.prod(t.shape) * t.dtype.size for t in traced.graph.inputs)
    call = make_session_call(
        session,
        [tensor.name for tensor in traced.graph.inputs],
        [tensor.name for tensor in traced.graph.outputs],
        is_fast=n_bytes <= _MOST_BYTES_KEPT,
    )
    constants = [tensor.numpy() for tensor in traced.captured_inputs]
    return lambda flat: call(*map(np.asarray, flat), *constants)


def _name_functions(definition: Any) -> None:
    """Give traced functions names that are the same in every process.

    TensorFlow numbers them over all that a process traces, and XLA finds code on disk by their
    names, too: a program would be found only where the same ones were traced before it. Programs
    whose functions have the same names are told apart by what they compute.
    """
    functions = definition.library.function
    traced = sorted((f.signature.name for f in functions), key=_last_number)
    new = {name: f"traced_{number}" for number, name in enumerate(traced)}
    for function in functions:
        function.signature.name = new[function.signature.name]
    for node in [*definition.node, *(node for f in functions for node in f.node_def)]:
        for value in node.attr.values():
            if value.HasField("func"):
                value.func.name = new[value.func.name]


def _last_number(name: str) -> int:
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else 0
