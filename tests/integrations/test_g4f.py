"""g4f's own client, API server and GUI on ``HuggingFaceAPI``: the real package, in an environment of its own."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"
PNG = "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAA="
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def prepare_home() -> None:
    """g4f reads and writes below the home folder, and version 8 asks the network for a list unless it is there."""
    home = Path(os.environ["HF_TEXT_G4F_HOME"])
    listing = home / ".models" / str(date.today()) / "providers.json"
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text(json.dumps({"providers": {"default": {"baseUrl": "http://g4f.invalid"}}, "defaultModels": {}}))
    os.environ.update(G4F_CACHE_DIR=str(home), G4F_CONFIG_DIR=str(home))
