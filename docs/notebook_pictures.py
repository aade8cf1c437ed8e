"""Take the pictures of the notebook, light and dark: ``python docs/notebook_pictures.py [CHROMIUM]``.

JupyterLab runs in a real browser, with the emulator in the place of Hugging Face. It needs jupyterlab, ipykernel and
playwright, and no network.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from lab import THEMES, opening_lab

from hf_text.emulator import Emulator, Response

FIGURES = Path(__file__).parent / "figures"
CELLS = [
    "import hf_text\nfrom hf_text.notebook import show\n\nclient = hf_text.Client()",
    'show("Compare tea and coffee.", client=client)',
    "client.models(search='gpt-oss')",
    'show("Tell me a story.", client=client)',
    'client.generate("What is this?", media="cat.png")',
]
TABLE = """**Both** wake you up:

| | tea | coffee |
|---|---|---|
| caffeine in a cup | 40 mg | 95 mg |
| it acts | slowly | at once |
"""


def main(chromium: str) -> None:
    with Emulator() as hf:
        os.environ |= {**hf.environ, "HF_TOKEN": "hf_MadeUp"}
        with opening_lab(CELLS, chromium=chromium, size=(1000, 1050)) as lab:
            lab.run_cell(0)
            hf.reply(Response.text(TABLE, reasoning=["A table is clearest."], usage=(12, 64), provider="novita"))
            lab.run_cell(1)
            lab.run_cell(2)
            hf.reply(Response.text("Once", " upon a time", finish=None, done=False, end="stall", provider="novita"))
            lab.run_cell(3, wait=False)
            lab.wait_until(lambda state: "Once upon" in str(state["outputs"][3]))
            lab.press_stop()
            lab.wait_until(lambda state: state["kernel"] == "idle" and len(state["outputs"][3]) == 2)
            lab.run_cell(4)
            lab.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.node.scrollTop = 0; }")
            for name in THEMES:
                lab.use_theme(name)
                lab.page.locator(".jp-NotebookPanel:visible").screenshot(path=FIGURES / f"notebook-{name}.png")


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["/usr/bin/chromium"]))
