"""The documentation: ``python -m sphinx -W --keep-going -b html docs build/docs``. A warning is an error."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import llms

project = "hf_text"
author = "hf_text developers"
copyright = "hf_text developers"
release = version = installed_version("hf_text")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.extlinks"]
exclude_patterns = ["figures"]

# Files of the project: :source:`examples/fastapi_app.py`.
extlinks = {"source": ("https://github.com/hf-text/hf_text/blob/main/%s", "%s")}
extlinks_detect_hardcoded_links = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("Media", "Messages", "Tools")}
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False

html_theme = "furo"
pygments_dark_style = "monokai"
html_title = f"hf_text {release}"
html_show_sphinx = False

# python -m sphinx -b man docs build/man
man_pages = [("command", "hf-text", "ask language models from a terminal", "", 1)]


def _write_llms(app: Any, problem: Exception | None) -> None:
    if problem is None and app.builder.name == "html":
        Path(app.outdir, "llms.txt").write_text(llms.build(".html"), "utf-8")


def _name_aliases(*about: Any) -> tuple[str, str] | None:
    """A signature with the names of type aliases alone, also where such a name is a part of a union."""
    signature, returned = about[-2:]
    if signature is None:
        return None
    return re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", signature), returned


def setup(app: Any) -> None:
    app.connect("autodoc-process-signature", _name_aliases)
    app.connect("build-finished", _write_llms)
