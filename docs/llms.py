"""Write docs/llms.txt, the map of these pages for language models: ``python docs/llms.py [--check]``.

Its links are relative: to the sources beside it here, and to the pages beside it in the HTML (docs/conf.py writes that
one). The sections are those of the toctrees in index.rst; a page is told by its title and its first sentence.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
TARGET = DOCS / "llms.txt"
HEAD = """\
# hf_text

> A Python library that streams text from Hugging Face Inference Providers and from any OpenAI-style server. It is
> synchronous first, has an async layer for asyncio and trio, and verifies that every answer is whole.

- Install: `pip install hf_text`. Import: `import hf_text`. The key is found where huggingface_hub finds it.
- One answer: `hf_text.generate("...")`; `str()` of it is the text. Pieces: `for text in hf_text.stream("..."):`.
- With settings: `hf_text.Client(api_key=None, *, api_base=None, model=None, provider="auto", timeout=...)`, then
  `client.generate(messages, model=None, *, max_tokens=None, ...)` or `client.stream(...)`, same arguments.
- The names are `api_base` (not base_url), `api_key` (not token), `max_tokens`, `messages` (a str, or a list of dicts).
- Async: `async with hf_text.aio.AsyncClient() as client:`, `await client.generate(...)`,
  `async for text in client.stream(...)`.
- A typed value: `hf_text.parse("...", City).value`. Tools: `hf_text.Conversation(tools=[function]).generate("...")`.
- Every error is an `hf_text.HFTextError`. A `StreamError` carries what arrived in `.partial`.
"""


def read_toctrees(index: str) -> Iterator[tuple[str, list[str]]]:
    """Caption and pages of each toctree, patterns filled in."""
    for tree in re.findall(r"^\.\. toctree::\n((?:   .*\n|\n)+)", index, re.MULTILINE):
        caption = re.search(r":caption: (.*)", tree)
        names: list[str] = []
        for entry in re.findall(r"^   (\w[\w/*]*)$", tree, re.MULTILINE):
            found = sorted(str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.glob(f"{entry}.rst"))
            names += [name for name in found if name not in names]
        yield (caption[1] if caption else ""), names


def describe(name: str, suffix: str) -> str:
    """The line of a page."""
    text = (DOCS / f"{name}.rst").read_text("utf-8")
    title, _, rest = text.partition("\n")
    prose = [part for part in rest.split("\n\n")[1:] if re.match(r"[\w`*]", part) and "\n--" not in part]
    sentence = re.split(r"(?<=\.)\s", " ".join(prose[0].split()), maxsplit=1)[0] if prose else ""
    plain = re.sub(r":\w+:`([^`<]*?)(?: <[^`]*>)?`", r"\1", sentence).replace("``", "`").rstrip(".:")
    return f"- [{title}]({name}{suffix})" + (f": {plain}" if plain else "")


def build(suffix: str = ".rst") -> str:
    parts = [HEAD]
    for caption, names in read_toctrees((DOCS / "index.rst").read_text("utf-8")):
        parts.append("\n".join([f"## {caption}", "", *(describe(name, suffix) for name in names)]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if TARGET.read_text("utf-8") == build() else "docs/llms.txt is stale: run python docs/llms.py")
    TARGET.write_text(build(), "utf-8")
