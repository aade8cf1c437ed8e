"""The command in several shells."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals as on Unix")


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_complete_commands_and_options(hf, terminal, tmp_path, name):
    pytest.importorskip("argcomplete")
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    command = tmp_path / "hf-text"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom hf_text.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    shell = terminal(
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", PYTHONPATH=os.getcwd(), HOME=str(tmp_path), PS1="$ "
    )
    register = f"{sys.executable} -m argcomplete.scripts.register_python_argcomplete"
    if name == "zsh":
        shell.run("-f", "-i", prefix=(program,))
        shell.type(f'autoload -U compinit; compinit -u; eval "$({register} hf-text)"; echo re""ady\n')
    else:
        shell.run("--no-config", "-i", prefix=(program,))
        shell.type(f'{register} --shell fish hf-text | source; echo re""ady\n')
    shell.wait_for("\nready")
    shell.type("hf-text prov\t")
    shell.wait_for("hf-text providers")
    shell.type("--sort thr\t")
    shell.wait_for("--sort throughput")
    shell.type("\x15exit\n")
    shell.wait()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_and_options(hf, terminal, tmp_path):
    pytest.importorskip("argcomplete")
    command = tmp_path / "hf-text"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom hf_text.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    shell = terminal(PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", PS1="$ ", PYTHONPATH=os.getcwd())
    shell.run("--norc", "--noprofile", "-i", prefix=(shutil.which("bash"),))
    shell.type(f'eval "$({sys.executable} -m argcomplete.scripts.register_python_argcomplete hf-text)"; echo re""ady\n')
    shell.wait_for("\nready")
    shell.type("hf-text prov\t")
    shell.wait_for("hf-text providers")
    shell.type("--sort thr\t")
    shell.wait_for("--sort throughput")
    shell.type("\x15exit\n")
    shell.wait()


# Acts as a shell with job control: it gives the command its own process group and the terminal. When the command is
# stopped, the shell takes the terminal back, and "fg" (here: any line) continues the command.
JOB_CONTROL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if not child:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while os.WIFSTOPPED(status := os.waitpid(child, os.WUNTRACED)[1]):
    os.tcsetpgrp(0, os.getpgrp())
    print("stopped", flush=True)
    while os.read(0, 1) != b"\\n":
        pass
    print("continued", flush=True)
    os.tcsetpgrp(0, child)
    os.killpg(child, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_ctrl_z_suspends_a_chat_and_fg_resumes_it(hf, terminal, term):
    shell = terminal(TERM=term)
    shell.run("chat", prefix=(sys.executable, "-c", JOB_CONTROL, sys.executable, "-m", "hf_text"))
    shell.wait_for("\n>")
    shell.type("\x1a")
    shell.wait_for("stopped")
    shell.type("fg\n")
    shell.wait_for("continued")
    shell.type("Hello\r")
    shell.wait_for("from")
    shell.type("/quit\r")
    assert shell.wait() == 0
    assert [message["content"] for message in hf.requests[-1].json["messages"]] == ["Hello"]
