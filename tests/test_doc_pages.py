"""The pages are consistent: links resolve, names exist, the reference documents every public name."""

from __future__ import annotations

import builtins
import configparser
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import BLOCKS, DOCS, PAGES, PROJECT

import hf_text
import hf_text.integrations

TEXTS = {page: page.read_text("utf-8") for page in PAGES}
PUBLIC = (
    "hf_text",
    "hf_text.aio",
    "hf_text.aio.batch",
    "hf_text.batch",
    "hf_text.emulator",
    "hf_text.local",
    "hf_text.notebook",
)
FOREIGN = {
    "APIConnectionError",
    "APITimeoutError",
    "CancelledError",
    "HfHubHTTPError",
    "InferenceTimeoutError",
}


def by_name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_link_points_to_an_existing_page_or_file(page: Path) -> None:
    text = TEXTS[page]
    pages = [given or named for named, given in re.findall(r":doc:`(?:[^`<]*<([^`>]+)>|([^`<]+))`", text)]
    assert [name for name in pages if not (DOCS / f"{name.lstrip('/')}.rst").exists()] == []
    files = [given or named for named, given in re.findall(r":source:`(?:[^`<]*<([^`>]+)>|([^`<]+))`", text)]
    assert [name for name in files if not (PROJECT / name).exists()] == []
    relative = re.findall(r"<([^<>:\s]+)>`_", text)
    if page.name == "README.rst":  # also read without Sphinx
        assert [name for name in relative if not (PROJECT / name).exists()] == []
    else:
        assert relative == [], "pages are linked with :doc:, files with :source:"


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_error_and_name_on_a_page_exists(page: Path) -> None:
    text = TEXTS[page].partition("In detail\n")[0] if page.stem == "comparison" else TEXTS[page]  # errors of others
    prefix = r"hf_text\." if page.parent.name == "integrations" else r"(?:hf_text\.)?"  # errors of others too
    errors = set(re.findall(rf"``{prefix}(\w+Error)``", text))
    assert errors - FOREIGN - set(dir(builtins)) <= set(hf_text.__all__)
    names = set(re.findall(r"``hf_text\.(\w+)(?:``|\()", TEXTS[page]))
    if page.stem == "otel":  # span attributes look like names of the package
        names = {name for name in names if not name.islower()}
    assert {name for name in names if not is_there(name)} == set()


def is_there(name: str) -> bool:
    return name in hf_text.__all__ or importlib.util.find_spec(f"hf_text.{name}") is not None


def test_every_page_is_reachable_from_the_index() -> None:
    """The Sphinx build reports other orphans; this reads the patterns of the toctrees."""
    listed = re.findall(r"^   ([\w/*]+)$", TEXTS[DOCS / "index.rst"], re.MULTILINE)
    reached = {found for pattern in listed for found in DOCS.glob(f"{pattern}.rst")}
    assert set(PAGES) - reached == {PROJECT / "README.rst", DOCS / "index.rst"}


# --- The reference

REFERENCE = "\n".join(text for page, text in TEXTS.items() if page.parent == DOCS / "api")


def documented(module: str) -> set[str]:
    """The names of a module in the reference: listed one by one, or all of its ``__all__``."""
    names = set()
    for found in re.finditer(
        r"^\.\. (currentmodule|automodule|auto\w+|py:\w+):: ([\w.]+).*((?:\n   :.*)*)", REFERENCE, re.MULTILINE
    ):
        directive, name, options = found.groups()
        if directive in ("currentmodule", "automodule"):
            current = name
            members = re.search(r":members:(.*)", options)
            if directive == "automodule" and members:
                given = members[1].strip().split(", ")
                names |= {(current, each) for each in (given if given != [""] else load(current).__all__)}
        else:
            names.add(tuple(name.rsplit(".", 1)) if "." in name else (current, name))
    homes = {"hf_text": {"hf_text", "hf_text.errors"}}.get(module, {module})
    return {name for home, name in names if home in homes}


def load(module: str):  # type: ignore[no-untyped-def]
    return importlib.import_module(module)


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"there is no {module}")
    missing = set(load(module).__all__) - documented(module)
    if module == "hf_text.aio.batch":  # it re-exports the names that both modules share
        missing = {name for name in missing if getattr(load(module), name) is not getattr(load("hf_text.batch"), name)}
    assert missing == set()


_HOME = Path(hf_text.integrations.__path__[0])
_SOURCES = "".join(path.read_text("utf-8") for path in _HOME.glob("*.py"))
_SHARED = {found for pair in re.findall(r"from \.(\w+) import|from \. import (\w+)", _SOURCES) for found in pair}
INTEGRATIONS = sorted({each.name for each in pkgutil.iter_modules([str(_HOME)])} - _SHARED)


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_an_integration_has_a_page_and_its_public_names_are_in_the_reference(name: str) -> None:
    """Parse the source: the required packages may be missing."""
    names = re.search(r"^__all__ = (\[[^\]]*\])", (_HOME / f"{name}.py").read_text("utf-8"), re.MULTILINE)
    assert names is not None
    page = DOCS / "integrations" / f"{re.sub('_plugin$', '', name)}.rst"
    assert TEXTS[page if page.exists() else page.with_stem(name.removesuffix("_ai"))]
    wanted = {each for each in eval(names[1]) if not each.startswith("pytest_")}
    assert wanted - documented(f"hf_text.integrations.{name}") == set()


# --- Snippets


def test_a_line_of_code_fits_the_width_of_a_page() -> None:
    """Longer lines would scroll in a window of 1280 pixels. The command's help has the width of a terminal."""
    long = [
        (str(block), line)
        for block in BLOCKS
        if block.language != "" and block.page.parent != PROJECT
        for line in block.code.splitlines()
        if len(line) > 92
    ]
    assert long == []


def test_the_runs_of_a_page_write_to_files_of_their_own() -> None:
    """So that a reader can run a page from beginning to end in one folder."""
    for page, text in TEXTS.items():
        written = re.findall(r'batch\.run\(\s*[\w."]+,\s*"([\w.]+)"(?!\W*only=)', text)
        assert sorted(written) == sorted(set(written)), page


# --- Tables


def test_the_tables_list_every_event_and_error() -> None:
    table = {
        page: set(re.findall(r"^``(\w+)``  ", TEXTS[DOCS / page], re.MULTILINE))
        for page in ("errors.rst", "streaming.rst")
    }
    families = {"APIStatusError", "HFTextError", "StreamError"}
    errors = {name for name in hf_text.__all__ if name.endswith("Error")}
    assert {row for row in table["errors.rst"] if row.endswith("Error")} == errors - families
    assert families <= set(re.findall(r"``(?:hf_text\.)?(\w+)``", TEXTS[DOCS / "errors.rst"]))
    assert {"ProviderInfo", "Reasoning", "ToolCalls", "Usage", "FinishReason", "str"} <= table["streaming.rst"]


def test_the_table_of_extras_is_complete() -> None:
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    extras = {name for name in setup["options.extras_require"] if name.split("-")[-1] != "test"}
    ours = {"dev", "docs", "urllib3"}  # for contributors
    rows = set(re.findall(r"^``([\w-]+)``  ", TEXTS[DOCS / "install.rst"], re.MULTILINE))
    assert rows == extras - ours


def test_every_message_on_the_troubleshooting_page_exists() -> None:
    ours = TEXTS[DOCS / "troubleshooting.rst"].partition("Messages of Python itself")[0]
    messages = re.findall(r"^   \* - ``(.+)``$", ours, re.MULTILINE)
    package = Path(hf_text.__file__).parent
    source = "".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    literals = re.sub(r'"\n\s+f?"', "", source)
    assert len(messages) > 25
    assert [message for message in messages if message not in literals] == []


def test_llms_txt_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "llms.py"), "--check"], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
