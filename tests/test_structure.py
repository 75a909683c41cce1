"""The architecture, held by tests: what imports what, and what is exported."""

import ast
import doctest
import inspect
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skdense

PACKAGE = Path(skdense.__file__).parent

# Imports point to the left, never to the right. Within a room they make no circles.
ROOMS = [
    {"_backend", "_tables"},
    {"_networks"},
    {"_training"},
    {"_problem"},
    {"_files"},
    {"_estimators"},
    {"_onnx_meta"},
    {"_displays", "_load", "_onnx", "_onnx_import", "_searches"},
    {""},
]
PRIVATE = {
    ("_problem.constraints", "sklearn.utils._param_validation"),
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    .removesuffix("__init__")
    .rstrip("."): path
    for path in PACKAGE.rglob("*.py")
}


def room(module):
    return module.partition(".")[0]


def level(module):
    return next(number for number, rooms in enumerate(ROOMS) if room(module) in rooms)


def imports(path):
    """Yield (statement, absolute name) of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node, name.name
        elif isinstance(node, ast.ImportFrom):
            folder = path.parent
            for _ in range(max(0, node.level - 1)):
                folder = folder.parent
            base = ["skdense", *folder.relative_to(PACKAGE).parts] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            for name in node.names:
                inner = f"{start}.{name.name}".removeprefix("skdense.")
                yield node, f"skdense.{inner}" if inner in MODULES else start


def imported_modules(module):
    """Return the modules of this package that one imports."""
    names = [name for _, name in imports(MODULES[module]) if room(name) == "skdense"]
    return {name.removeprefix("skdense").removeprefix(".") for name in names}


def test_every_module_is_in_a_room():
    assert {room(module) for module in MODULES} == set().union(*ROOMS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_one_way(module):
    for imported in imported_modules(module):
        is_beside = room(imported) == room(module) and "." in module
        assert is_beside or level(imported) < level(module), f"{module} imports {imported}"


def test_imports_make_no_circles():
    graph = {module: imported_modules(module) for module in MODULES}
    assert tuple(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("room", sorted(set().union(*ROOMS)))
def test_each_room_says_what_lives_there(room):
    path = PACKAGE / room / "__init__.py"
    if path.exists():
        assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_modules_are_short(module):
    assert len(MODULES[module].read_text().splitlines()) < 400


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_imports_stay_inside_functions(module):
    for node, name in imports(MODULES[module]):
        package = name.partition(".")[0]
        if package in {"tensorflow", "keras", "matplotlib", "pandas"}:
            assert node.col_offset > 0, f"{module} imports {name} at its top"
        if package in {"tensorflow", "keras"}:
            assert module == "_backend.loading", f"{module} imports {name} itself"
        if package == "sklearn":
            assert room(module) not in {"_backend", "_networks", "_training"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_private_interfaces_of_others_have_one_place(module):
    for _, name in imports(MODULES[module]):
        parts = name.split(".")
        if parts[0] in {"sklearn", "keras", "tensorflow", "scipy", "numpy"}:
            private = any(part.startswith("_") or part in {"src", "python"} for part in parts[1:])
            assert (module, name) in PRIVATE or not private, f"{module} imports {name}"


def test_exported_names():
    assert sorted(skdense.__all__) == skdense.__all__
    assert set(skdense.__all__) == {
        "ErrorAnalysisDisplay",
        "FeatureScaleWarning",
        "FeatureTypeWarning",
        "KerasDenseClassifier",
        "KerasDenseRegressor",
        "KerasTabularClassifier",
        "KerasTabularRegressor",
        "SlowEngineWarning",
        "TrainingHistoryDisplay",
        "clear_cache",
        "load",
        "set_cache_dir",
        "skops_trusted_types",
        "to_onnx",
    }
    public = {name for name in vars(skdense) if not name.startswith("_")}
    assert public == set(skdense.__all__)
    for name in skdense.__all__:
        assert getattr(skdense, name).__doc__


CLASSES = [value for value in vars(skdense).values() if isinstance(value, type)]
ESTIMATORS = [kind for kind in CLASSES if kind.__name__.startswith("Keras")]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_sources_of_public_classes_are_found(kind):
    source = inspect.getsource(kind)
    assert source.startswith(f"class {kind.__name__}")
    assert Path(inspect.getfile(kind)).read_text().count(source) == 1
    for name, value in vars(kind).items():
        if not name.startswith("_") and inspect.isfunction(value):
            assert f"def {name}(" in inspect.getsource(value)


# doctest looks for functions that a module defines, and a decorated method is none of these.
EXAMPLES = {
    f"{kind.__name__}.{name}": getattr(kind, name)
    for kind in ESTIMATORS
    for name in dir(kind)
    if name in vars(kind) and ">>>" in (getattr(vars(kind)[name], "__doc__", None) or "")
}


@pytest.mark.slow
@pytest.mark.parametrize("method", EXAMPLES.values(), ids=EXAMPLES)
def test_examples_of_methods_run(method):
    [example] = doctest.DocTestFinder().find(inspect.unwrap(method), globs={})
    assert doctest.DocTestRunner().run(example).failed == 0
    assert example.examples
