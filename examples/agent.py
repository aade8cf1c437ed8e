"""An agent that reads the files in a folder, writes notes there, and asks for consent before writing.

::

    pip install "hf_text[schema]"
    HF_TOKEN=hf_xxx python agent.py ~/papers "Which of these files are about tea? Note their names in tea.txt."
"""

from __future__ import annotations

import sys
from pathlib import Path

import hf_text

SYSTEM = "You work in one folder. Look before you answer. Answer in a few sentences."
MAX_CHARACTERS = 4000


def make_tools(folder: Path) -> list[hf_text.Tool]:
    """The tools for the model. They have no access outside the folder."""

    def inside(name: str) -> Path:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise PermissionError(f"{name} is outside the folder")
        return path

    @hf_text.tool
    def list_files() -> list[str]:
        """List the files of the folder, with their sizes in bytes."""
        return [f"{path.name} ({path.stat().st_size})" for path in sorted(folder.iterdir()) if path.is_file()]

    @hf_text.tool
    def read_file(name: str) -> str:
        """Read the beginning of a text file.

        Args:
            name: One of the names from list_files.
        """
        return inside(name).read_text("utf-8", errors="replace")[:MAX_CHARACTERS]

    @hf_text.tool
    def write_file(name: str, text: str) -> str:
        """Write a text file.

        Args:
            name: The name of the file.
            text: Its contents.
        """
        inside(name).write_text(text, "utf-8")
        return "written"

    return [list_files, read_file, write_file]


def approve(call: hf_text.ToolCall) -> bool | str:
    """Allow reading, and ask the user before writing."""
    if call.name != "write_file":
        return True
    print(f"\n{call.name}({call.arguments})")
    try:
        reply = input("Allow this? [y/N] ")
    except EOFError:  # standard input is closed
        reply = ""
    return reply.strip().lower() == "y" or "The user does not want this."


def main(folder: str, task: str) -> int:
    place = Path(folder).expanduser().resolve()
    if not place.is_dir():
        print(f"there is no folder {folder}", file=sys.stderr)
        return 2
    agent = hf_text.Conversation(system=SYSTEM, tools=make_tools(place), approve=approve, max_rounds=20)
    try:
        for event in agent.stream(task).events():
            if isinstance(event, hf_text.ToolResult):
                outcome = repr(event.error) if event.error else "done"
                print(f"[{event.call.name}: {outcome}]", file=sys.stderr)
            elif isinstance(event, str):
                print(event, end="", flush=True)
    except hf_text.HFTextError as error:
        print(f"\nfailed: {error}", file=sys.stderr)
        return 1
    print()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: agent.py FOLDER TASK")
    sys.exit(main(*sys.argv[1:]))
