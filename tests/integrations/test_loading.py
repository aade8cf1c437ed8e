"""The integration pages, and what is imported without the integrations; needs no framework."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = sorted((PROJECT / "docs" / "integrations").glob("*.rst"))


def read_setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    return setup


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_names_an_existing_extra_and_module(page: Path) -> None:
    text = page.read_text("utf-8")
    extras = set(re.findall(r"hf_text\[([\w-]+)\]", text))
    assert extras or page.stem == "pytest"  # this one needs only pytest
    assert extras <= set(read_setup()["options.extras_require"])
    for module in re.findall(r"hf_text\.integrations\.(\w+)", text):
        assert (PROJECT / "hf_text" / "integrations" / f"{module}.py").is_file()


def test_entry_points_are_only_for_known_frameworks() -> None:
    """An entry point for pytest would load the library in every pytest run."""
    assert set(read_setup()["options.entry_points"]) == {
        *("console_scripts", "inspect_ai", "llm", "opentelemetry_instrumentor")
    }


def test_frameworks_are_not_loaded_unless_used() -> None:
    program = (
        "import sys, hf_text, hf_text.aio, hf_text.batch\nhf_text.Client\n"
        "print(*(name for name in sys.modules if 'integrations' in name))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("module", ["langchain", "llm", "pydantic_ai", "smolagents", "inspect_ai"])
def test_a_missing_package_says_what_to_install(module: str) -> None:
    package = {"langchain": "langchain_core"}.get(module, module)
    program = (
        f"import sys\nsys.modules[{package!r}] = None\nimport hf_text\n"
        f"try:\n    import hf_text.integrations.{module}\n"
        "except hf_text.MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    (extra,) = re.findall(r"pip install 'hf_text\[([\w-]+)\]'", done.stdout) or [done.stderr]
    assert extra in read_setup()["options.extras_require"]
