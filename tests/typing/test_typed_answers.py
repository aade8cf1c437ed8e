"""How mypy and pyright check typed answers, tools and conversations."""

from __future__ import annotations

import getpass
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
CALLS = FOLDER / "typed_calls.py"

CHECKERS = {
    "mypy": ("--strict", "--no-error-summary", "--no-incremental", "--follow-imports=silent"),
    "pyright": ("--pythonpath", sys.executable),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_infers_types_and_rejects_mistakes(checker: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed (extra: dev)")
    shutil.copy(CALLS, tmp_path)
    (tmp_path / "hf_text").symlink_to(FOLDER.parents[1] / "hf_text", target_is_directory=True)
    command = [sys.executable, "-m", checker, *CHECKERS[checker], CALLS.name]
    home = str(Path(f"~{getpass.getuser()}").expanduser())  # pyright is installed there
    environment = {**os.environ, "HOME": home}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=290, check=False, cwd=tmp_path, env=environment
    )
    found = re.findall(rf"{CALLS.name}:(\d+)(?::\d+)?(?: -|:) error", done.stdout)
    refused = [n for n, line in enumerate(CALLS.read_text("utf-8").split("\n"), 1) if line.endswith("# refused")]
    assert sorted({int(number) for number in found}) == refused, done.stdout
