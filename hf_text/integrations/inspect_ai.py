"""Hugging Face models for Inspect: ``inspect eval task.py --model hf_text/openai/gpt-oss-120b``.

Inspect loads this module through its entry point; the client is imported only when such a model is used.
"""

from __future__ import annotations

from typing import Any

from . import importing

with importing("inspect_ai", "inspect"):
    from inspect_ai.model import modelapi

__all__ = ["hf_text"]


@modelapi(name="hf_text")
def hf_text() -> Any:
    """The models of Hugging Face Inference Providers, or of any server that speaks the OpenAI chat protocol."""
    from .inspect_api import HFTextAPI

    return HFTextAPI
