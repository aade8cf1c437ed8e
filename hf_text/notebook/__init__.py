"""Answers in a notebook cell: ``show()``, and ``%%hf_text`` after ``%load_ext hf_text``.

::

    from hf_text.notebook import show

    answer = show("Why is the sky blue?")

Works where IPython's messages do: JupyterLab, Notebook, VS Code, Colab, nbconvert. In a terminal the text is printed as
it arrives. No widgets are needed.
"""

from __future__ import annotations

from .magic import load_ipython_extension, unload_ipython_extension
from .show import show

__all__ = ["load_ipython_extension", "show", "unload_ipython_extension"]


def __dir__() -> list[str]:
    return sorted(__all__)
