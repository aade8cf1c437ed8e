"""The package as a whole: its exports, their documentation, and the cost of the import."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import Any

import pytest

import hf_text
import hf_text.aio
import hf_text.batch
import hf_text.emulator
import hf_text.local
from hf_text import errors

PACKAGE = Path(hf_text.__file__).parent
PROJECT = Path(__file__).parents[1]

REQUIRED = inspect.Parameter.empty

EXTRAS = {"IPython", "PIL", "anyio", "click", "dask", "distributed", "prompt_toolkit", "rich", "sniffio", "trio"}


def find_modules() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        foreign = "integrations" in parts[:-1]  # each needs its own package and has its own tests
        if not foreign and not any(part.startswith("_") for part in parts if part != "__init__"):
            yield ".".join(parts).removesuffix(".__init__")


MODULES = list(find_modules())


def source_of(module: ModuleType) -> ast.Module:
    assert module.__file__ is not None
    return ast.parse(Path(module.__file__).read_text("utf-8"))


def isort_order(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then the rest, as the linter sorts ``__all__``."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name)


# Exports


def test_exports_match_the_lazy_table_and_type_checkers() -> None:
    body = source_of(hf_text).body
    for_types = next(node for node in body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    seen = {
        ("." * node.level + (node.module or ""), alias.name)
        for node in for_types.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    loaded = {(module, name) for module, names in hf_text._HOMES.items() for name in names}
    assert {*loaded, (".errors", "*")} == {*seen, (".errors", "*")}
    assert {"__version__", *errors.__all__, *(name for _, name in loaded)} == set(hf_text.__all__)


def test_dir_shows_only_public_names_and_submodules() -> None:
    shown = run_python("import hf_text; print(*dir(hf_text))").stdout.split()
    submodules = ["aio", "batch", "emulator", "errors", "integrations", "local", "notebook"]
    assert sorted(shown) == sorted([*hf_text.__all__, *submodules])
    assert run_python("import hf_text; hf_text.aio.AsyncClient, hf_text.notebook.show").returncode == 0


@pytest.mark.parametrize("name", ["aio", "aio.batch", "batch", "emulator", "errors", "local", "notebook"])
def test_dir_of_a_submodule_shows_its_public_names_and_nothing_else(name: str) -> None:
    code = f"import hf_text; module = hf_text.{name}; print(*dir(module)); print(*module.__all__)"
    shown, public = run_python(code).stdout.splitlines()
    assert set(shown.split()) - {"batch"} == set(public.split())


def test_an_unknown_name_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="'hf_text' has no attribute 'Clinet'"):
        hf_text.Clinet  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'AsyncClient'\. It is in hf_text\.aio"):
        hf_text.AsyncClient  # noqa: B018


def load(name: str) -> ModuleType:
    """Import the module; skip the test if its optional package is not installed."""
    try:
        return importlib.import_module(name)
    except hf_text.MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_exports_only_existing_names_it_defines(name: str) -> None:
    module = load(name)
    body = source_of(module).body
    defined = {
        node.name
        for node in body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_")
    }
    exported = list(getattr(module, "__all__", []))
    assert defined <= set(exported)
    assert exported == sorted(set(exported), key=isort_order) or name == "hf_text"  # its list ends with the errors
    assert [missing for missing in exported if not hasattr(module, missing)] == []


@pytest.mark.parametrize("name", MODULES)
def test_every_module_and_every_exported_name_is_documented(name: str) -> None:
    module = load(name)
    assert (module.__doc__ or "").strip().endswith((".", "::")) or "\n" in (module.__doc__ or "")
    exported = {name: getattr(module, name) for name in getattr(module, "__all__", [])}
    plain = {name: value for name, value in exported.items() if not isinstance(value, GenericAlias)}
    documented = {name: value for name, value in plain.items() if inspect.isclass(value) or inspect.isroutine(value)}
    assert [name for name, value in documented.items() if not inspect.getdoc(value)] == []


@pytest.mark.parametrize(
    "module", [hf_text, hf_text.aio, hf_text.batch, hf_text.emulator, hf_text.local], ids=lambda module: module.__name__
)
def test_every_public_method_is_documented(module: ModuleType) -> None:
    classes = [value for name in module.__all__ if inspect.isclass(value := getattr(module, name))]
    undocumented = [
        f"{cls.__name__}.{name}"
        for cls in classes
        for name, value in vars(cls).items()
        if not name.startswith("_") and isinstance(value, (property, classmethod, staticmethod, type(find_modules)))
        if not inspect.getdoc(value)
    ]
    assert undocumented == []


# Signatures


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """Names in order, with their defaults; ``*args`` and ``**options`` keep their stars."""
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    return {f"{stars.get(each.kind, '')}{each.name}": each.default for each in found}


def positional(function: Callable[..., Any]) -> list[str]:
    found = inspect.signature(function).parameters.values()
    return [each.name for each in found if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]


ASKED = {"model": REQUIRED, "messages": REQUIRED, "api_base": None, "api_key": None, "max_tokens": 2048}

STREAM_OPTIONS = dict.fromkeys(
    (
        *("media", "max_tokens", "temperature", "top_p", "stop", "seed", "tools", "tool_choice", "response_format"),
        *("reasoning_effort", "frequency_penalty", "presence_penalty", "parallel_tool_calls", "logprobs"),
        *("top_logprobs", "include_usage", "extra_body", "extra_headers", "provider"),
    )
)

MODEL_FILTERS = {
    "search": None,
    "provider": None,
    "vision": None,
    "tools": None,
    "structured_output": None,
    "min_context": None,
    "max_output_price": None,
    "sort": None,
    "refresh": False,
}


@pytest.mark.parametrize("name", ["create_async_generator", "create_generator"])
def test_the_documented_generators_have_their_documented_arguments(name: str) -> None:
    expected = [*ASKED.items(), ("max_inputs_lenght", 10000), ("media", None)]
    found = list(parameters(getattr(hf_text.HuggingFaceAPI, name)).items())
    assert (found[:7], found[-1]) == (expected, ("**kwargs", REQUIRED))
    found = list(parameters(getattr(hf_text.OpenaiTemplate, name)).items())
    assert (found[:6], found[-1]) == ([*ASKED.items(), ("media", None)], ("**kwargs", REQUIRED))


def test_the_other_documented_methods_have_their_documented_arguments() -> None:
    api = hf_text.HuggingFaceAPI
    assert parameters(api.get_model) == {"model": REQUIRED, "**kwargs": REQUIRED}
    assert parameters(api.get_models) == {"api_key": None, "api_base": None, "**kwargs": REQUIRED}
    assert parameters(api.get_mapping) == parameters(api.get_mapping_sync) == {"model": REQUIRED, "api_key": None}
    assert inspect.iscoroutinefunction(api.get_mapping)
    assert not inspect.iscoroutinefunction(api.get_mapping_sync)
    assert parameters(hf_text.calculate_lenght) == {"messages": REQUIRED}


def test_the_documented_class_attributes_have_their_documented_values() -> None:
    api = hf_text.HuggingFaceAPI
    assert issubclass(api, hf_text.OpenaiTemplate)
    assert (api.label, api.parent) == ("HuggingFace (Text Generation)", "HuggingFace")
    assert api.url == "https://api-inference.huggingface.com"
    assert api.api_base == "https://api-inference.huggingface.co/v1"
    assert (api.working, api.needs_auth) == (True, True)
    gemma = "google/gemma-3-27b-it"
    route = {f"hf-inference/models/{gemma}": {"task": "conversational", "providerId": gemma}}
    assert api.provider_mapping == {gemma: route}
    assert api.default_model in api.fallback_models
    assert api.default_vision_model in api.vision_models
    assert isinstance(api.model_aliases, dict)
    for name in ("api_key", "fallback_models", "vision_models"):
        assert hasattr(hf_text.OpenaiTemplate, name)


def test_the_client_has_its_documented_arguments() -> None:
    client = parameters(hf_text.Client)
    assert positional(hf_text.Client) == ["api_key"]
    options = ["api_base", "model", "provider", "timeout", "max_retries", "bill_to", "headers", "proxies", "verify"]
    options += ["cert", "hub_url", "router_url", "max_event_bytes", "provider_mapping"]
    assert list(client)[1:] == options
    defaults = {"api_key": None, "api_base": None, "provider": "auto", "max_retries": 2, "verify": True}
    assert {name: client[name] for name in defaults} == defaults


WAYS_TO_AN_ANSWER: list[Callable[..., Any]] = [
    hf_text.Client.stream,
    hf_text.Client.generate,
    hf_text.aio.AsyncClient.stream,
    hf_text.aio.AsyncClient.generate,
    hf_text.stream,
    hf_text.generate,
]


@pytest.mark.parametrize("function", WAYS_TO_AN_ANSWER)
def test_every_way_to_an_answer_has_the_same_documented_arguments(function: Callable[..., Any]) -> None:
    found = {name: default for name, default in parameters(function).items() if name != "self"}
    assert [name for name in positional(function) if name != "self"] == ["messages", "model"]
    assert (found["messages"], found["model"]) == (REQUIRED, None)
    in_order = [name for name in found if name in STREAM_OPTIONS]
    assert {name: found[name] for name in in_order} == STREAM_OPTIONS
    assert in_order == list(STREAM_OPTIONS)


@pytest.mark.parametrize("function", [hf_text.Client.models, hf_text.aio.AsyncClient.models, hf_text.models])
def test_every_way_to_the_models_has_the_same_documented_arguments(function: Callable[..., Any]) -> None:
    found = {name: default for name, default in parameters(function).items() if name != "self"}
    assert list(found.items()) == list(MODEL_FILTERS.items())
    assert set(positional(function)) <= {"self"}


@pytest.mark.parametrize("owner", [hf_text.Client, hf_text.aio.AsyncClient])
def test_mapping_and_hub_models_have_their_documented_arguments(owner: Any) -> None:
    assert parameters(owner.mapping) == {"self": REQUIRED, "model": REQUIRED}
    listing = {"self": REQUIRED, "search": None, "provider": "all", "limit": None}
    assert parameters(owner.hub_models) == listing


def test_the_clocks_have_their_documented_defaults() -> None:
    assert parameters(hf_text.Timeouts) == {"connect": 10, "first": 120, "gap": 60, "total": None}


def test_waiting_methods_are_coroutines_and_streaming_ones_iterators() -> None:
    owner = hf_text.aio.AsyncClient
    assert all(inspect.iscoroutinefunction(getattr(owner, name)) for name in ("generate", "models", "mapping"))
    assert not inspect.iscoroutinefunction(owner.stream)
    assert hasattr(hf_text.aio.AsyncStream, "__aenter__")
    assert issubclass(hf_text.aio.AsyncStream, AsyncIterator) or hasattr(hf_text.aio.AsyncStream, "__aiter__")


# Import cost


def run_python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        timeout=30,
        check=False,
    )


def modules_after(code: str) -> set[str]:
    done = run_python(f"{code}\nimport sys, json\nprint(json.dumps(list(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_importing_the_package_is_silent() -> None:
    done = run_python("import hf_text", "-X", "dev", "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_using_the_package_loads_no_anyio_extra_or_tool() -> None:
    loaded = modules_after("import hf_text; hf_text.HuggingFaceAPI; hf_text.generate")
    assert {name.split(".")[0] for name in loaded} & EXTRAS == set()
    ours = {name.split(".")[1] for name in loaded if name.startswith("hf_text.")}
    assert ours & {"aio", "batch", "cli", "emulator", "local", "notebook"} == set()


def test_importing_the_package_loads_nothing_until_use() -> None:
    loaded = {name for name in modules_after("import hf_text") if name.split(".")[0] in ("requests", "hf_text")}
    leaves = {"_version", "errors", "printable", "tracebacks"}
    assert loaded == {"hf_text", *(f"hf_text.{leaf}" for leaf in leaves)}


def test_using_the_package_loads_little_beyond_requests() -> None:
    # Any streaming with requests imports these; orjson loads uuid.
    before = modules_after("import json, uuid\nimport requests, sseclient, dataclasses")
    loaded = modules_after("import json, hf_text; hf_text.Client") - before
    new = {name for name in loaded if "hf_text" not in name}
    rare = {
        "protocol.catalog",
        "protocol.prices",
        "protocol.selection",
        "tools.functions",
        "conversation",
        "structured",
    }
    assert loaded & {f"hf_text.{name}" for name in rare} == set()
    codecs = {"encodings.ascii", "encodings.latin_1", "encodings.utf_8_sig"}  # the first request would load these
    assert new - {"orjson", "orjson.orjson", "uuid", "_uuid", "platform", "zoneinfo", *codecs} == set()


@pytest.mark.parametrize("version", ["1.26.20", "2.5.0"])
def test_an_old_urllib3_is_refused_with_advice(version: str) -> None:
    done = run_python(f"import urllib3; urllib3.__version__ = {version!r}; import hf_text; hf_text.Client")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: hf_text needs urllib3 2.6 or newer")
    assert last.endswith("pip install -U urllib3")
    assert version in last


# Package metadata


def test_the_version_matches_setup_cfg_and_changelog() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", hf_text.__version__)
    settings = (PROJECT / "setup.cfg").read_text("utf-8")
    assert "version = attr: hf_text._version.__version__" in settings
    newest = re.search(r"^(\d\S*)", (PROJECT / "CHANGELOG.rst").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == hf_text.__version__


def test_the_installed_version_is_current() -> None:
    try:
        installed = importlib.metadata.version("hf_text")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed, it is run from its source")
    assert installed == hf_text.__version__


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert "hf_text = py.typed" in (PROJECT / "setup.cfg").read_text("utf-8")


def test_there_are_three_runtime_dependencies() -> None:
    settings = (PROJECT / "setup.cfg").read_text("utf-8")
    block = re.search(r"^install_requires =\n((?: {4}.*\n)+)", settings, re.MULTILINE)
    assert block is not None
    assert re.findall(r"^ {4}([\w-]+)>=", block[1], re.MULTILINE) == ["requests", "sseclient-py", "anyio"]
