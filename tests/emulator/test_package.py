"""The emulator's package: what it exports, and that it stands alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hf_text.emulator as package

SOURCES = sorted(Path(package.__file__).parent.glob("*.py"))


def test_the_exported_names_are_sorted_and_exist() -> None:
    assert sorted(package.__all__, key=_isort_key) == package.__all__
    assert all(hasattr(package, name) for name in package.__all__)


def _isort_key(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_module_imports_nothing_from_outside_the_package_but_the_standard_library(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level < 2, ast.unparse(node)
            assert not (node.module or "").startswith("hf_text"), ast.unparse(node)
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not {name.split(".")[0] for name in names} & {"requests", "urllib3", "sseclient", "anyio", "http.server"}
