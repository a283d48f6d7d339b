"""Arrows run one way: a room imports only those listed after it, and no module its own importer.

And a name is the name of one thing.
"""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import neural_style_transfer as nst
import stylize

PACKAGE = Path(__file__).parent.parent / "stylize"
ROOMS = re.findall(r"^([a-z]+)  ", stylize.__doc__, re.MULTILINE)
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__init__"
}


def imported(path):
    """The names of the package's modules that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stylize"):
            own = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= own & MODULES.keys() or {node.module}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("stylize") for alias in node.names), path
    return names - {"stylize"}  # the version


def room(module):
    return module.split(".")[1]


def test_every_room_is_in_the_list():
    assert sorted(ROOMS) == sorted({room(module) for module in MODULES})


def test_a_room_imports_only_those_listed_after_it():
    for module, path in MODULES.items():
        for other in imported(path):
            assert ROOMS.index(room(other)) >= ROOMS.index(room(module)), f"{module}: {other}"


def test_no_module_imports_its_own_importer():
    arrows = {module: imported(path) for module, path in MODULES.items()}
    assert list(graphlib.TopologicalSorter(arrows).static_order())  # raises CycleError


def test_only_apps_import_the_script():
    for module, path in MODULES.items():
        if room(module) != "apps":
            assert "neural_style_transfer import" not in path.read_text(), module
            assert "import neural_style_transfer" not in path.read_text(), module


def test_the_script_imports_apps_in_functions_only():
    """They import it, so that it must be whole before them."""
    at_import = ast.parse(Path(nst.__file__).read_text()).body
    named = [node.module or "" for node in at_import if isinstance(node, ast.ImportFrom)]
    assert [name for name in named if name.startswith("stylize")]
    assert not [name for name in named if name.startswith("stylize.apps")]


def test_paint_is_imported_and_never_handed_over():
    for path in [Path(nst.__file__), *MODULES.values()]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.arguments):
                parameters = [*node.posonlyargs, *node.args, *node.kwonlyargs]
                assert "paint" not in [parameter.arg for parameter in parameters], path


def test_the_script_is_short_enough_to_be_read():
    assert len(Path(nst.__file__).read_text().splitlines()) <= 400


def test_importing_the_script_waits_for_nothing_large():
    """`--help` and a mistyped path are answered before any of these is needed."""
    large = {"keras", "tensorflow", "skimage", "gradio", "h5py"}
    program = f"import sys, neural_style_transfer; print(sorted({large} & sys.modules.keys()))"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("[]\n", "")


def test_a_class_name_is_the_name_of_one_class():
    names = [
        node.name
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)
