"""The parser of ``hf-text batch``."""

from __future__ import annotations

import re

from ..parsing import Parser, add_server_options

__all__ = ["build_parser", "duration"]

_DESCRIPTION = """\
Send each row of a file to a model, and append each answer to another file. Whatever ended a run, the same
command resumes it."""

_EPILOG = """\
IN holds a JSON value in each line: a prompt in quotes, {"prompt": …}, {"messages": …}, any columns with
--template, or a request of OpenAI's Batch API; "-" is standard input, and .gz files are read too. OUT gets a
result of the Batch API for each row.

exit status: 0; 3 if some rows failed or were not sent; 1 after an error; 2 for wrong arguments; 130 after Ctrl-C

examples:
  hf-text batch questions.jsonl answers.jsonl -m openai/gpt-oss-120b --max-tokens 500
  hf-text batch reviews.jsonl labels.jsonl --template 'Label: {text}' --id id --keep stars --max-cost 5
  hf-text batch --status answers.jsonl
  hf-text batch --plot run.svg answers.jsonl"""

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text batch", "[options] IN OUT", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("paths", nargs="*", metavar="IN OUT", help="the inputs, and the output")
    add(
        "-m",
        "--model",
        metavar="NAME",
        action="append",
        default=[],
        help="the model; repeatable: each row is sent to all",
    )
    add("--template", metavar="TEXT", help="the prompt, built from the columns of a row: 'Label: {text}'")
    add("-s", "--system", metavar="TEXT", help="a system message, with --template")
    add("--id", metavar="COLUMN", help="the column that identifies each row (default: custom_id)")
    add("--keep", metavar="COLUMN", action="append", default=[], help="a column to copy to the output; repeatable")
    add("--samples", metavar="N", type=int, default=1, help="how often each row is sent (default: 1)")
    add("--max-tokens", metavar="N", type=int, help="the longest answer, in tokens")
    add("--temperature", metavar="T", type=float, help="0 to 2")
    add(
        "-o",
        "--option",
        nargs=2,
        metavar=("NAME", "VALUE"),
        action="append",
        default=[],
        help="any other option of a call, such as: -o seed 1; a JSON value, or a text",
    )
    add("--provider", metavar="NAME", action="append", default=[], help="a provider or a policy; repeatable")
    add(
        "--stale",
        choices=("raise", "redo", "keep"),
        default="raise",
        help="what to do with answers to changed questions (default: raise)",
    )
    add("--only-failed", action="store_true", help="only retry the rows that failed in an earlier run")
    add("--shard", metavar="I/N", help="only the I-th of N parts, from 0/N to N-1/N; batch.merge puts them together")
    add("--record-bad-rows", action="store_true", help="an invalid row fails without ending the run")
    add("--yes", action="store_true", help="do not ask for confirmation of the estimated cost")
    add("--quiet", action="store_true", help="show no progress")
    add("--json", action="store_true", help="write the summary (or the status) as a JSON object to standard output")
    add("--status", action="store_true", help="show the progress of the run that writes OUT, and exit")
    add("--plot", metavar="FILE", help="draw throughput and latency of the run that wrote OUT (.svg, .png)")
    _add_bounds(parser)
    add_server_options(parser)
    return parser


def _add_bounds(parser: Parser) -> None:
    add = parser.add_argument_group("bounds").add_argument
    add("--max-workers", metavar="N", type=int, default=16, help="the most rows in flight for each model (default: 16)")
    add("--rate", metavar="R", type=float, help="maximum requests per second (default: as the server allows)")
    add("--tokens-per-minute", metavar="N", type=float, help="maximum tokens per minute")
    add("--max-cost", metavar="USD", type=float, help="start no more rows at this cost, including earlier runs")
    add("--max-failures", metavar="N", type=int, help="start no more rows once more than N have failed")
    add("--deadline", metavar="TIME", type=duration, help="start no more rows after this time: 90s, 30m, 2h")
    add("--drain", metavar="TIME", type=duration, default=25.0, help="how long requests in flight may take to finish")


def duration(text: str) -> float:
    """Parse a time into seconds: ``"90"``, ``"90s"``, ``"30m"``, ``"1h30m"``, ``"2d"``. Else raises ValueError."""
    compact = re.sub(r"\s", "", text.lower())
    parts = re.findall(r"(\d+(?:\.\d+)?)([a-z]*)", compact)
    if (
        not parts
        or "".join(number + unit for number, unit in parts) != compact
        or any(u not in _UNITS for _, u in parts)
    ):
        raise ValueError(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


duration.__name__ = "a time such as 90s, 30m or 2h"  # argparse shows it
