"""Runs the emulator as a program: ``python -m hf_text.emulator``. Ctrl-C or SIGTERM stops it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from .arguments import DESCRIPTION, EPILOG, add_arguments
from .emulator import Emulator

__all__ = ["main", "serve"]


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal arrives. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m hf_text.emulator",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        return serve(options, lambda text: print(text, end="", flush=True))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else flushing stdout fails at exit
        return 141


def serve(options: argparse.Namespace, write: Callable[[str], object]) -> int:
    """Serve with these arguments until a signal arrives; ``write`` prints the address. Returns the exit status."""
    ended: SimpleQueue[int] = SimpleQueue()  # not an Event: this thread may hold its lock when the signal arrives
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: ended.put(number))
    recording = {"record": options.record, "upstream": options.upstream, "replay": options.replay}
    try:
        emulator = Emulator(port=options.port, pace=options.pace, require_key=options.require_key, **recording)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        emulator.start()
    except OSError as error:
        print(f"cannot listen on port {options.port}: {error.strerror}", file=sys.stderr)
        return 1
    emulator.reply(*options.fault_once)
    if options.fault:
        emulator.always(options.fault)
    try:
        write(_explain(emulator, options))
        while True:
            with suppress(Empty):  # with a timeout, because on Windows a wait without one cannot be interrupted
                ended.get(timeout=3600)
                return 0
    finally:
        emulator.close()


def _what_it_is(options: argparse.Namespace) -> str:
    if options.record:
        return f"This records what {options.upstream or 'Hugging Face'} answers in {options.record}"
    if options.replay:
        return f"This is the hf_text emulator, not Hugging Face; it answers from {options.replay}"
    return "This is the hf_text emulator, not Hugging Face"


def _explain(emulator: Emulator, options: argparse.Namespace) -> str:
    lines = [emulator.url, "", f"{_what_it_is(options)}. To point a program to it:", ""]
    lines += [f"  export {name}={value}" for name, value in emulator.environ.items()]
    key = "...   # the required key" if options.require_key else "hf_emulator   # any key will do"
    key = "...   # the server's" if options.record else key
    lines.append(f"  export HF_TOKEN={key}")
    lines += ["", f"OpenAI-compatible base URL: {emulator.api_base}", "Press Ctrl-C to stop it."]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
