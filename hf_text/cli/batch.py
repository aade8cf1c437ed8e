"""``hf-text batch IN OUT``: many prompts from a file to a file."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from .. import batch
from ..batch.bars import describe, format_seconds
from ..batch.estimates import estimate_cost
from ..batch.plots import plot
from ..client import Client
from ..errors import HFTextError, InvalidRequestError
from ..keys import clean_key
from .advice import explain
from .output import Output

__all__ = ["add_batch_arguments", "duration", "main", "run_batch"]

_SOME_FAILED = 3

_DESCRIPTION = """\
Ask a model every row of a file, and append each answer to another. What ended a run does not matter: the same
command continues where it was."""

_EPILOG = """\
IN holds a JSON value in each line: a prompt in quotes, {"prompt": …}, {"messages": …}, any columns with
--template, or a request of OpenAI's Batch API; "-" is standard input, and .gz files are read too. OUT gets a
result of the Batch API for each row.

exit status: 0; 3 when some rows failed or were not asked; 1 after an error; 2 for wrong arguments; 130 after Ctrl-C

examples:
  hf-text batch questions.jsonl answers.jsonl -m openai/gpt-oss-120b --max-tokens 500
  hf-text batch reviews.jsonl labels.jsonl --template 'Label: {text}' --id id --keep stars --max-cost 5
  hf-text batch --status answers.jsonl
  hf-text batch --plot run.svg answers.jsonl"""

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def main(argv: Sequence[str]) -> int:
    """Run ``hf-text batch``. ``argv`` are the arguments after that word. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="hf-text batch",
        usage="%(prog)s [options] IN OUT",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_batch_arguments(parser)
    try:
        return run_batch(parser.parse_intermixed_args(list(argv)), parser.error)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1


def add_batch_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="IN OUT", help="the inputs, and the output")
    add("-m", "--model", metavar="NAME", action="append", default=[], help="the model; repeatable: each row asks all")
    add("--template", metavar="TEXT", help="what is asked, from the columns of a row: 'Label: {text}'")
    add("-s", "--system", metavar="TEXT", help="a system message, with --template")
    add("--id", metavar="COLUMN", help="the column with the name of each row (default: custom_id)")
    add("--keep", metavar="COLUMN", action="append", default=[], help="a column to carry into the output; repeatable")
    add("--samples", metavar="N", type=int, default=1, help="how often each row is asked (default: 1)")
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
    add("--api-base", metavar="URL", default=os.environ.get("HF_TEXT_API_BASE"), help="another server")
    _add_bounds(parser)
    add(
        "--stale",
        choices=("raise", "redo", "keep"),
        default="raise",
        help="answers to other questions (default: raise)",
    )
    add("--only-failed", action="store_true", help="ask only the rows that failed in an earlier run")
    add("--shard", metavar="I/N", help="only the I-th of N parts, from 0/N to N-1/N; batch.merge puts them together")
    add("--record-bad-rows", action="store_true", help="a row that cannot be asked fails alone")
    add("--yes", action="store_true", help="do not ask whether the likely cost is wanted")
    add("--quiet", action="store_true", help="show no progress")
    add("--json", action="store_true", help="write the summary (or the status) as a JSON object to standard output")
    add("--status", action="store_true", help="how far the run is that writes OUT; starts nothing")
    add("--plot", metavar="FILE", help="draw throughput and latency of the run that wrote OUT (.svg, .png)")


def _add_bounds(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--max-workers", metavar="N", type=int, default=16, help="the most rows in flight for each model (default: 16)")
    add("--rate", metavar="R", type=float, help="never more requests a second (default: as the server allows)")
    add("--tokens-per-minute", metavar="N", type=float, help="never more tokens a minute")
    add("--max-cost", metavar="USD", type=float, help="start no more rows at this cost, earlier runs included")
    add("--max-failures", metavar="N", type=int, help="start no more rows once more than N have failed")
    add("--deadline", metavar="TIME", type=duration, help="start no more rows after this time: 90s, 30m, 2h")
    add("--drain", metavar="TIME", type=duration, default=25.0, help="how long what is under way may still take")


def duration(text: str) -> float:
    """Seconds: ``"90"``, ``"90s"``, ``"30m"``, ``"1h30m"``, ``"2d"``. Raises ValueError for anything else."""
    compact = re.sub(r"\s", "", text.lower())
    parts = re.findall(r"(\d+(?:\.\d+)?)([a-z]*)", compact)
    if (
        not parts
        or "".join(number + unit for number, unit in parts) != compact
        or any(u not in _UNITS for _, u in parts)
    ):
        raise ValueError(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def run_batch(options: argparse.Namespace, refuse: Callable[[str], object]) -> int:
    """Do what the arguments say. ``refuse`` ends the command for those that cannot be."""
    errors = Output(sys.stderr, vital=False)
    try:
        if options.status or options.plot:
            if len(options.paths) != 1:
                refuse(f"{'--status' if options.status else '--plot'} takes the path of the output alone")
            return _show_state(options) if options.status else _plot(options, errors)
        if len(options.paths) != 2:
            refuse("give the path of the inputs and that of the output: hf-text batch IN OUT")
        return _run(options, errors)
    except batch.Stopped as stopped:
        return stopped.code if isinstance(stopped.code, int) else 130
    except HFTextError as error:
        text = re.sub(r"stale='(\w+)'", r"--stale \1", explain(error))
        errors.write_line(f"hf-text: error: {text}")
        return 2 if isinstance(error, InvalidRequestError) else 1
    except (OSError, RuntimeError) as error:
        errors.write_line(f"hf-text: error: {error}")
        return 1


def _run(options: argparse.Namespace, errors: Output) -> int:
    inputs, output = options.paths
    arguments = _arguments(options)
    with _connect(options) as client:
        arguments["client"] = client
        if not options.yes and _is_terminal() and not _agrees(inputs, arguments, errors):
            errors.write_line("hf-text: nothing was asked")
            return 1
        with _progress(options.quiet) as show:
            summary = batch.run(inputs, output, progress=show, **arguments)
    if options.json:
        Output(sys.stdout, vital=True).write_line(json.dumps(asdict(summary)))
    for line in _tell(summary, output):
        errors.write_line(line)
    return _SOME_FAILED if summary.failed or summary.stopped_by else 0


@contextmanager
def _connect(options: argparse.Namespace) -> Iterator[Client]:
    key = clean_key(os.environ.get("HF_TEXT_API_KEY"), "HF_TEXT_API_KEY") if options.api_base else None
    if options.api_base and options.provider:
        raise InvalidRequestError("--provider chooses among those of Hugging Face; the server of --api-base has none")
    with Client(key, api_base=options.api_base, provider=options.provider or "auto") as client:
        yield client


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Those of ``batch.run``."""
    names = ("id", "samples", "max_workers", "rate", "tokens_per_minute", "max_cost", "max_failures", "deadline")
    arguments = {name: getattr(options, name) for name in (*names, "drain", "stale")}
    arguments |= {
        name: getattr(options, name) for name in ("max_tokens", "temperature") if getattr(options, name) is not None
    }
    models = options.model or list(filter(None, [os.environ.get("HF_TEXT_MODEL")]))
    arguments |= {"models": models} if len(models) > 1 else {"model": models[0] if models else None}
    arguments["keep"] = [name for names in options.keep for name in names.split(",")]
    arguments["template"] = _template(options)
    arguments["only"] = "failed" if options.only_failed else None
    arguments["shard"] = _shard(options.shard)
    arguments["on_bad_row"] = "record" if options.record_bad_rows else "raise"
    return arguments | {name: _parse_value(value) for name, value in options.option}


def _template(options: argparse.Namespace) -> Any:
    if options.system is None:
        return options.template
    if options.template is None:
        raise InvalidRequestError("--system needs --template, with what is asked in each row: --template '{prompt}'")
    system = options.system.replace("{", "{{").replace("}", "}}")
    return [{"role": "system", "content": system}, {"role": "user", "content": options.template}]


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None:
        raise InvalidRequestError(f"--shard must be I/N, such as 0/8, not {text!r:.80}")
    return int(found[1]), int(found[2])


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def _agrees(inputs: str, arguments: dict[str, Any], errors: Output) -> bool:
    """Whether the user accepts the estimated cost; without an estimate there is no question."""
    estimate = estimate_cost(inputs, **arguments) if inputs != "-" else None
    if estimate is None:
        return True
    errors.write(f"hf-text: {estimate}. Go on? [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(summary: batch.Summary, output: str) -> Iterator[str]:
    """What came of the run, for people."""
    cost = "" if summary.cost is None else f", ${summary.cost:.4g}"
    yield (
        f"hf-text: {summary.done:,} of {summary.rows:,} rows are done in {format_seconds(summary.seconds)}{cost}; "
        f"see {output}"
    )
    if summary.latency.p50 is not None:
        yield (
            f"hf-text: an answer took {summary.latency.p50:g} s (median), {summary.latency.p99:g} s (99 %); "
            f"{summary.prompt_tokens:,} + {summary.completion_tokens:,} tokens"
        )
    if summary.truncated:
        yield f"hf-text: warning: {summary.truncated:,} answers were cut; --max-tokens sets a higher limit"
    if summary.failed:
        why = ", ".join(f"{count:,} {name}" for name, count in summary.errors.items()) or "in earlier runs"
        yield f"hf-text: warning: {summary.failed:,} rows failed ({why}). The same command asks them again"
    if summary.stopped_by:
        yield f"hf-text: stopped by {summary.stopped_by}; the same command continues with the other rows"


def _show_state(options: argparse.Namespace) -> int:
    progress, state = batch.read_state(options.paths[0])
    out = Output(sys.stdout, vital=True)
    if options.json:
        out.write_line(json.dumps({**asdict(progress), **state}))
        return 0
    rows = "" if progress.rows is None else f" of {progress.rows:,}"
    share = f" ({progress.done / progress.rows:.0%})" if progress.rows else ""
    out.write_line(f"{progress.done:,}{rows} rows are done{share}")
    age = time.time() - float(state.get("updated") or 0.0)
    if state.get("ended"):
        out.write_line(f"the run has ended: {state['ended']}, {format_seconds(age)} ago")
    elif age > 30:
        out.write_line(f"no sign of the run for {format_seconds(age)} (process {state['pid']} on {state['host']})")
    else:
        out.write_line(f"running for {format_seconds(progress.seconds)} (process {state['pid']} on {state['host']})")
        out.write_line(describe(progress, 200))
    return 0


def _plot(options: argparse.Namespace, errors: Output) -> int:
    plot(options.paths[0], options.plot)
    errors.write_line(f"hf-text: {options.plot} shows the run")
    return 0


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[batch.Progress], object] | None]:
    """What shows how far the run is: a bar of rich where that is installed, else one line; nothing on a pipe."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console  # type: ignore[import-not-found, unused-ignore]
        from rich.progress import (  # type: ignore[import-not-found, unused-ignore]
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
        )
    except ImportError:
        with _plain_line() as show:
            yield show
        return
    console = Console(stderr=True)
    columns = (BarColumn(10), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        task = bar.add_task("", total=None)

        def show(at: batch.Progress) -> None:
            done = at.done + at.failed
            total = None if at.rows is None else max(at.rows, done)
            taken = 12 + 2 * len(str(total or done)) + 3
            bar.update(task, completed=done, total=total, description=describe(at, console.width - taken))

        yield show


@contextmanager
def _plain_line() -> Iterator[Callable[[batch.Progress], object]]:
    shown = 0.0

    def show(at: batch.Progress) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= 0.25:
            shown = now
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            counts = f"{at.done + at.failed:,}/{'?' if at.rows is None else f'{at.rows:,}'} "
            sys.stderr.write("\r\x1b[K" + counts + describe(at, width - len(counts) - 1))
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
