"""The snippets of docs/notebooks.rst run in a kernel, from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernels import leaving_no_loop, starting_kernel
from pages import find_blocks

import hf_text
from hf_text.emulator import Emulator

PAGE = (Path(__file__).parents[2] / "docs" / "notebooks.rst").read_text("utf-8")
BLOCKS = [block for block in find_blocks(PAGE) if block.language in ("python", "ipython")]
ELSEWHERE = "mo.ui.chat(answer)"  # tested in integrations/test_marimo.py


def test_the_snippets_run_in_order(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    shown = []
    with leaving_no_loop(), starting_kernel() as kernel:
        for block in BLOCKS:
            if ELSEWHERE not in block.code:
                shown.append(kernel.messages(block.code))
        kernel.run("client.close(); hf_text.client.default_client().close(); %unload_ext hf_text")
    assert [message["content"] for messages in shown for message in messages if message["msg_type"] == "error"] == []
    texts = ["".join(str(message["content"]) for message in messages) for messages in shown]
    for text, words in zip(
        texts, ("tea and coffee", "how deep", "", "sky blue", "in the evening", "gpt-oss", ""), strict=True
    ):
        assert words in text
    assert emulator.requests[-1].path.startswith("/v1/models") or len(emulator.requests) > 5


def test_every_name_on_the_page_exists() -> None:
    assert {"show", "load_ipython_extension"} <= set(hf_text.notebook.__all__)  # type: ignore[attr-defined]
    assert set(hf_text.Model("a/b").__dataclass_fields__) >= {"id", "price", "throughput", "context_length", "vision"}
