"""Packages that a test needs beyond those of the extra ``test``."""

from __future__ import annotations

import importlib.util
import os

import pytest


def require(*modules: str, where: str, whole_file: bool = False) -> None:
    """Skip if one of these modules is not installed; fail if all are required (``HF_TEXT_ALL_INTEGRATIONS``)."""
    missing = [name for name in modules if not _is_installed(name)]
    if not missing:
        return
    if os.environ.get("HF_TEXT_ALL_INTEGRATIONS"):
        pytest.fail(f"not installed: {', '.join(missing)}", pytrace=False)
    pytest.skip(f"{', '.join(missing)} is not installed ({where})", allow_module_level=whole_file)


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
