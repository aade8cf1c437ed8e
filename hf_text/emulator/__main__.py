"""Runs the emulator alone: ``python -m hf_text.emulator``. Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from .emulator import Emulator
from .faults import FAULT_NOTES

__all__ = ["main"]


def main(arguments: list[str] | None = None, prog: str = "python -m hf_text.emulator") -> int:
    """Serve until a signal comes. Returns the exit status. ``prog`` is the name in the help."""
    options = _parse(arguments, prog)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
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
    _explain(emulator, options)
    while not ended.wait(3600):  # with a limit, since on Windows a wait without one cannot be interrupted
        pass
    emulator.close()
    return 0


def _parse(arguments: list[str] | None, prog: str) -> argparse.Namespace:
    width = max(map(len, FAULT_NOTES))
    parser = argparse.ArgumentParser(
        prog=prog,
        description="A loopback Hugging Face for tests and demos. Its answers are not those of a model, and say so.",
        epilog="faults:\n" + "\n".join(f"  {name:{width}}  {note}" for name, note in FAULT_NOTES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the port to listen on (default: a free one)")
    parser.add_argument("--pace", type=float, default=0.0, metavar="S", help="seconds between the words of an answer")
    parser.add_argument("--require-key", metavar="K", help="the only key that is accepted (default: any, or none)")
    names = sorted(FAULT_NOTES)
    parser.add_argument("--fault", metavar="NAME", choices=names, help="what goes wrong with every chat completion")
    parser.add_argument(
        "--fault-once",
        metavar="NAME",
        choices=names,
        action="append",
        default=[],
        help="what goes wrong with the next one; may be repeated",
    )
    parser.add_argument("--record", metavar="FOLDER", help="hand requests on to a server, and record what passes there")
    parser.add_argument("--upstream", metavar="URL", help="with --record: the server (default: Hugging Face)")
    parser.add_argument("--replay", metavar="FOLDER", help="answer from the records of that folder")
    return parser.parse_args(arguments)


def _what_it_is(options: argparse.Namespace) -> str:
    if options.record:
        return f"This records what {options.upstream or 'Hugging Face'} answers in {options.record}"
    if options.replay:
        return f"This is the hf_text emulator, not Hugging Face; it answers from {options.replay}"
    return "This is the hf_text emulator, not Hugging Face"


def _explain(emulator: Emulator, options: argparse.Namespace) -> None:
    lines = [emulator.url, "", f"{_what_it_is(options)}. To lead a program to it:", ""]
    lines += [f"  export {name}={value}" for name, value in emulator.environ.items()]
    key = "...   # the key that was given" if options.require_key else "hf_emulator   # any key will do"
    key = "...   # the server's" if options.record else key
    lines.append(f"  export HF_TOKEN={key}")
    lines += ["", f"OpenAI-compatible base URL: {emulator.api_base}", "Ctrl-C ends it."]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
