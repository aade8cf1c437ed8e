"""The layers of the package, checked in its source: no upward imports, and one place per third-party library."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import hf_text

ROOT = Path(hf_text.__file__).parent

# Lowest first. A package name includes all of its modules.
LAYERS = (
    (
        "_version",
        "attributes",
        "cells",
        "columns",
        "markdown_effort",
        "other_names",
        "patterns",
        "printable",
        "tables",
        "tracebacks",
    ),
    ("errors", "events", "markdown", "shown", "completion", "tuning"),
    ("checks", "wrong_names"),
    ("protocol",),
    ("schemas",),
    ("tools",),
    ("transport",),
    ("keys", "endpoint", "catalogue", "options"),
    ("generation",),
    ("procedures",),
    ("operations",),
    ("structured",),
    ("client",),
    ("conversation",),
    ("aio",),
    ("callers",),
    ("template",),
    ("huggingface",),
    ("__init__",),
    ("local",),
    ("batch",),
    ("aio.batch", "cli", "notebook", "integrations", "__main__"),
)

# Imitates the servers, so it shares no code with the client.
STANDALONE = "emulator"

# Which part of the package may import which third-party library.
THIRD_PARTIES: dict[str, str | tuple[str, ...]] = {
    "requests": "transport",
    "urllib3": "transport",
    "sseclient": "generation",
    "anyio": "aio",
    "orjson": "protocol.jsons",
    "pydantic": ("schemas", "integrations"),  # llm and LangChain are built on it
    "typing_extensions": "schemas",
    "docstring_parser": "schemas",
    "jsonschema": "schemas",
    "referencing": "schemas",  # jsonschema resolves references with it
    "google": "keys",  # google.colab, which exists only in Colab
    "pytest": ("emulator.fixtures", "integrations.pytest_plugin"),
    "rich": "cli",
    "markdown_it": "cli",
    "argcomplete": "cli.completion",
    "prompt_toolkit": "cli",
    "huggingface_hub": "local.download",
    "xllamacpp": "local.serving",
    "g4f": "integrations.g4f",
    "opentelemetry": "integrations",
    "llm": "integrations",
    "click": "integrations.llm",  # installed with llm
    "langchain_core": "integrations",
    "pydantic_ai": "integrations",
    "smolagents": "integrations",
    "inspect_ai": "integrations",
    "tqdm": "batch",
    "pandas": "batch.outputs",
    "pyarrow": "batch.frames",
    "polars": "batch.frames",
    "matplotlib": ("batch.plots", "cli.plots"),
}

# Imports inside functions, with the reason for each.
INSIDE_FUNCTIONS = {
    ("completion", "hf_text.shown"): "only for people who look, and its patterns take time to compile",
    ("client", "hf_text.procedures.reader"): "only for parse",
    ("client", "hf_text.structured.parsing"): "only for parse",
    ("aio.client", "hf_text.aio.reader"): "only for parse",
    ("aio.client", "hf_text.structured.parsing"): "only for parse",
    ("template", "hf_text.aio.stream"): "keeps anyio out of import hf_text",
    ("huggingface", "hf_text.aio.client"): "keeps anyio out of import hf_text",
    ("protocol.selection", "difflib"): "only for the suggestions of an error",
    ("attributes", "difflib"): "only for the suggestions of an error",
    ("attributes", "hf_text.other_names"): "only for the advice of an error",
    ("wrong_names", "hf_text.other_names"): "only for the advice of an error",
    ("cli.parsing", "hf_text.other_names"): "only for the advice of an error",
    ("wrong_names", "difflib"): "only for the suggestions of an error",
    ("tools.given", "hf_text.tools.functions"): "only for functions, and it imports inspect",
    ("schemas", "hf_text.schemas.adapted"): "needs the extra schema",
    ("schemas", "hf_text.schemas.mapped"): "needs the extra schema",
    ("schemas", "hf_text.schemas.parameters"): "needs the extra schema",
    ("protocol.pages", "html"): "only for error pages, and it reads a large table",
    ("keys", "google.colab"): "is there only in Colab",
    ("emulator.recorder", "hf_text.emulator.upstream"): "costs 40 ms, and most emulators record nothing",
    ("emulator.server", "ssl"): "costs 10 ms, and few emulators serve https",
    ("cli.connect", "hf_text.emulator"): "only for --demo",
    ("cli.local", "hf_text.local"): "only for --local",
    ("local.server", "hf_text.aio"): "keeps anyio out of a blocking program",
    ("local.server", "hf_text.aio.threads"): "keeps anyio out of a blocking program",
    ("local.download", "huggingface_hub"): "may be missing, which is to be told in a message",
    (
        "local.serving",
        "xllamacpp",
    ): "may be missing, which is to be told in a message; and what it prints is caught first",
    ("cli.viewing", "hf_text.cli.markdown"): "needs the extra cli",
    ("cli.chat", "prompt_toolkit"): "an extra, only for a terminal",
    ("cli.progress", "rich.console"): "an extra, only for a terminal",
    ("cli.progress", "rich.progress"): "an extra, only for a terminal",
    ("batch.bars", "tqdm"): "an extra, only for progress=True",
    ("batch.outputs", "pandas"): "only for to_frame",
    ("batch.frames", "pyarrow"): "only for blocks of it, so it is there",
    ("batch.frames", "polars"): "only for blocks of it, so it is there",
    ("batch.plots", "matplotlib.figure"): "an extra, only for --plot",
    ("cli.plots", "matplotlib.figure"): "an extra, only for --plot with a .png",
    ("integrations.inspect_ai", "hf_text.integrations.inspect_api"): "Inspect imports all its plugins",
    ("integrations.llm", "hf_text.aio"): "llm imports the plugin at every start",
    ("integrations.llm", "hf_text.integrations.llm_turns"): "llm imports the plugin at every start",
}

# Modules that a pure module must not import: sockets, clocks, threads, processes, randomness.
IMPURE = {
    *("asyncio", "concurrent", "multiprocessing", "signal", "subprocess", "threading"),
    *("http", "select", "selectors", "socket", "ssl", "urllib.request"),
    *("datetime", "random", "time", "logging", "tempfile", "warnings"),
}
FILES = {"os", "pathlib", "shutil", "glob"}


@dataclass(frozen=True)
class Import:
    """An import statement: its module, its importer, its line; whether inside a function, or for type checkers only."""

    importer: str
    imported: str
    line: int
    inside: bool = False
    for_types: bool = False

    def __str__(self) -> str:
        return f"{self.importer} (line {self.line}) imports {self.imported}"


def name_of(path: Path) -> str:
    """``"transport.call"``; packages without ``__init__``, except the top-level one."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def find_imports(path: Path) -> Iterator[Import]:
    importer = name_of(path)
    package = ("hf_text", *path.relative_to(ROOT).parent.parts)
    yield from _walk(ast.parse(path.read_text("utf-8")), importer, package, False, False)


def _walk(node: ast.AST, importer: str, package: tuple[str, ...], inside: bool, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            for imported in _names(child, package):
                yield Import(importer, imported, child.lineno, inside, for_types)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _walk(child, importer, package, inside, True)
        else:
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _walk(child, importer, package, inside or function, for_types)


def _names(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> Iterator[str]:
    """The full names of the imported modules; ``from x import y`` is ``x.y`` if that is a module of the package."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    start = package[: len(package) + 1 - node.level] if node.level else ()
    module = ".".join((*start, *(node.module or "").split("."))).strip(".")
    for alias in node.names:
        yield f"{module}.{alias.name}" if is_module(f"{module}.{alias.name}") else module


def is_module(name: str) -> bool:
    first, *rest = name.split(".")
    path = ROOT.joinpath(*rest)
    return first == "hf_text" and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())


def short(imported: str) -> str:
    """The name of a module of the package in the layers."""
    return imported.removeprefix("hf_text").lstrip(".") or "__init__"


def belongs(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def place_of(module: str) -> str | None:
    """The most specific layer entry that contains a module."""
    places = [place for layer in (*LAYERS, (STANDALONE,)) for place in layer if belongs(module, place)]
    return max(places, key=len, default=None)


def layer_of(module: str) -> int:
    return next(rank for rank, places in enumerate(LAYERS) if place_of(module) in places)


def may_import(module: str, third_party: str) -> bool:
    places = THIRD_PARTIES.get(third_party, ())
    return any(belongs(module, place) for place in ([places] if isinstance(places, str) else places))


SOURCES = sorted(ROOT.rglob("*.py"))
IMPORTS = [found for path in SOURCES for found in find_imports(path)]
OURS = [found for found in IMPORTS if belongs(found.imported, "hf_text")]
OTHERS = [found for found in IMPORTS if not belongs(found.imported, "hf_text")]


def test_the_import_scanner_works() -> None:
    found = {(i.importer, i.imported, i.inside, i.for_types) for i in IMPORTS}
    assert ("errors", "hf_text.completion", False, True) in found
    assert ("transport.session", "requests", False, False) in found
    assert ("transport.session", "hf_text.transport.call", False, False) in found
    assert ("template", "hf_text.aio.stream", True, False) in found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_has_a_place(path: Path) -> None:
    module = name_of(path)
    assert place_of(module) is not None, f"give {module} a place in LAYERS"


def test_nothing_imports_upwards() -> None:
    within = [i for i in OURS if not belongs(i.importer, STANDALONE) and not belongs(short(i.imported), STANDALONE)]
    assert [str(i) for i in within if layer_of(short(i.imported)) > layer_of(i.importer)] == []


def test_only_the_command_and_integrations_know_the_emulator() -> None:
    users = {i.importer for i in OURS if belongs(short(i.imported), STANDALONE) and not belongs(i.importer, STANDALONE)}
    assert [user for user in users if layer_of(user) < len(LAYERS) - 1] == []


def test_the_emulator_is_independent() -> None:
    theirs = [i for i in OURS if belongs(i.importer, STANDALONE)]
    assert [str(i) for i in theirs if not belongs(short(i.imported), STANDALONE)] == []


def test_there_are_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for found in OURS:
        if not found.for_types:
            graph.setdefault(found.importer, set()).add(short(found.imported))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_each_third_party_package_is_imported_in_one_place() -> None:
    foreign = [i for i in OTHERS if not i.for_types and i.imported.split(".")[0] not in sys.stdlib_module_names]
    misplaced = [str(i) for i in foreign if not may_import(i.importer, i.imported.split(".")[0])]
    assert misplaced == []
    assert {"requests", "urllib3", "sseclient", "anyio"} <= {i.imported.split(".")[0] for i in foreign}


def test_the_protocol_is_pure() -> None:
    pure = [i for i in OTHERS if belongs(i.importer, "protocol")]
    assert [str(i) for i in pure if any(belongs(i.imported, name) for name in IMPURE)] == []
    assert {i.importer for i in pure if i.imported.split(".")[0] in FILES} <= {"protocol.media", "protocol.media_items"}


def test_every_import_inside_a_function_has_a_reason() -> None:
    inside = {(i.importer, i.imported) for i in IMPORTS if i.inside}
    assert inside - set(INSIDE_FUNCTIONS) == set(), "name the reason in INSIDE_FUNCTIONS, or move it to the top"
    assert set(INSIDE_FUNCTIONS) - inside == set(), "no longer there"


# Private names that are documented, or that argparse offers no public name for; and hooks, with their single user.
DOCUMENTED = {"_actions", "_asdict", "_exit", "_getframe", "_replace"}
HOOKS = {
    ("transport.connections", "_dns_host"): "urllib3's connection: the name to resolve",
    ("transport.head", "_put_conn"): "urllib3's pool: how a connection goes back",
    ("transport.instruments", "_make_request"): "urllib3's pool: what monitoring tools replace",
    ("emulator.sending", "_value2member_map_"): "enum: whether a number is a status, without an exception",
}


def find_foreign_private_names(path: Path) -> Iterator[str]:
    """Private names that a module takes from another one, except names inherited through self or cls."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            inherited = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not inherited:
                yield node.attr


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in {"_version", *DOCUMENTED}


def test_no_module_uses_a_private_name_of_another() -> None:
    found = {(name_of(path), name) for path in SOURCES for name in find_foreign_private_names(path)}
    assert found - set(HOOKS) == set(), "make it public, or move what needs it"
    assert set(HOOKS) - found == set(), "no longer there"
