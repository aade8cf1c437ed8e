"""``hf text``: the command as an extension, started by huggingface_hub's ``hf`` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("huggingface_hub.cli.extensions", reason="needs a huggingface_hub with extensions")


@pytest.fixture
def hf_text(tmp_path):
    """Return a function that runs ``hf text``, installed as by ``hf extensions install hf-text/hf-text``."""
    folder = tmp_path / ".local" / "share" / "hf" / "extensions" / "hf-text"
    script = folder / "venv" / "bin" / "hf-text"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom hf_text.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    manifest = {
        "owner": "hf-text",
        "repo": "hf-text",
        "repo_id": "hf-text/hf-text",
        "short_name": "text",
        "executable_path": str(script),
        "type": "python",
        "installed_at": "2026-01-01T00:00:00+00:00",
        "description": "Ask a model",
        "commit_sha": "0" * 40,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))

    def run(*words, stdin=""):
        environ = {**os.environ, "HOME": str(tmp_path), "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
        command = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()", *words]
        return subprocess.run(command, env=environ, input=stdin, capture_output=True, text=True, timeout=50)

    return run


@pytest.mark.skipif(os.name == "nt", reason="scripts as on Unix")
def test_hf_extension_passes_arguments_input_and_exit_status(hf, hf_text):
    result = hf_text("text", "-m", "openai/gpt-oss-120b", "Sum up:", stdin="piped")
    assert result.returncode == 0
    assert hf.requests[-1].json["messages"][-1]["content"] == "Sum up:\n\npiped"
    assert "piped" in result.stdout
    assert hf_text("text", "models", "--sort", "nothing").returncode == 2
