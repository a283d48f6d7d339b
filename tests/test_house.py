"""Arrows run one way: a module imports only those that come after it in the package's list."""

import ast
import re
from pathlib import Path

import stylize

PACKAGE = Path(__file__).parent.parent / "stylize"


def imported(path):
    """The package's modules that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stylize"):
            own = node.module.partition(".")[2]
            names |= {own} if own else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("stylize") for alias in node.names), path
            assert not any(alias.name == "neural_style_transfer" for alias in node.names), path
    return names - {"__version__"}


def test_modules_import_only_those_listed_after_them():
    lines = re.findall(r"^([a-z]+(?:, [a-z]+)*)  ", stylize.__doc__, re.MULTILINE)
    names = ", ".join(lines).split(", ")
    modules = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    assert sorted(names) == sorted(modules)
    for name, path in modules.items():
        for other in imported(path):
            assert names.index(other) > names.index(name), f"{name} imports {other}"


def test_the_script_is_imported_by_no_module():
    for path in PACKAGE.glob("*.py"):
        assert "neural_style_transfer import" not in path.read_text(), path
