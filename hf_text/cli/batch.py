"""``hf-text batch IN OUT``: send the prompts of one file and write the answers to another."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .. import batch
from ..batch.bars import describe, format_seconds
from ..batch.estimates import estimate_cost
from ..batch.plots import plot
from ..errors import HFTextError, InvalidRequestError
from ..tables import price
from .advice import explain
from .arguments import Options
from .connect import connect
from .output import Output, open_errors
from .parsing import Fail, fill_in_environment, refuse_two_servers
from .progress import show_progress
from .views import View

__all__ = ["main"]

_SOME_FAILED = 3


def main(options: argparse.Namespace, fail: Fail) -> int:
    """Run a batch, or show or plot its state. Returns the exit status."""
    errors = open_errors()
    refuse_two_servers(vars(options), fail)
    fill_in_environment(vars(options))
    try:
        if options.status or options.plot:
            if len(options.paths) != 1:
                fail(f"{'--status' if options.status else '--plot'} takes only the path of the output")
            return _show_state(options) if options.status else _plot(options, errors)
        if len(options.paths) != 2:
            fail("pass the paths of the inputs and of the output: hf-text batch IN OUT")
        if options.paths[1] == "-":
            fail("the output must be a file, because the same command continues from it: hf-text batch - OUT")
        return _run(options, errors)
    except batch.Stopped as stopped:
        return stopped.code if isinstance(stopped.code, int) else 130
    except HFTextError as error:
        errors.write_line(f"hf-text: error: {_in_options(explain(error))}")
        return 2 if isinstance(error, InvalidRequestError) else 1
    except OSError as error:
        errors.write_line(f"hf-text: error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return 1
    except RuntimeError as error:
        errors.write_line(f"hf-text: error: {error}")
        return 1


def _in_options(text: str) -> str:
    """An error of ``batch.run``, with the arguments as options."""
    text = re.sub(r"stale='(\w+)'", r"--stale \1", text).replace("template=", "--template ")
    names = r"\b(max_cost|max_workers|max_failures|max_tokens|tokens_per_minute)\b"
    return re.sub(names, lambda name: "--" + name[0].replace("_", "-"), text)


def _run(options: argparse.Namespace, errors: Output) -> int:
    inputs, output = options.paths
    arguments = _arguments(options)
    with connect(Options.of(vars(options)), View(reasoning=False)) as client:
        arguments["client"] = client
        if not options.yes and _is_terminal() and not _agrees(inputs, arguments, errors):
            errors.write_line("hf-text: nothing was sent")
            return 1
        with show_progress(quiet=options.quiet) as show:
            summary = batch.run(inputs, output, progress=show, **arguments)
    if options.json:
        Output(sys.stdout, vital=True).write_line(json.dumps(asdict(summary)))
    for line in _tell(summary, output):
        errors.write_line(line)
    return _SOME_FAILED if summary.failed or summary.stopped_by else 0


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of ``batch.run``."""
    names = ("id", "samples", "max_workers", "rate", "tokens_per_minute", "max_cost", "max_failures", "deadline")
    arguments = {name: getattr(options, name) for name in (*names, "drain", "stale")}
    arguments |= {
        name: getattr(options, name) for name in ("max_tokens", "temperature") if getattr(options, name) is not None
    }
    default = None if options.demo else os.environ.get("HF_TEXT_MODEL")
    models = options.model or list(filter(None, [default]))
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
    if found is None or int(found[1]) >= int(found[2]):
        raise InvalidRequestError(f"--shard must be I/N, from 0/N to N-1/N, not {text!r:.80}")
    return int(found[1]), int(found[2])


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def _agrees(inputs: str, arguments: dict[str, Any], errors: Output) -> bool:
    """Whether the user accepts the likely cost of the run. Without an estimate, it starts without confirmation."""
    estimate = estimate_cost(inputs, **arguments) if inputs != "-" else None
    if estimate is None:
        return True
    errors.write_line(f"hf-text: {estimate}. Continue? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(summary: batch.Summary, output: str) -> Iterator[str]:
    """Summarise the run for the user, line by line."""
    cost = "" if summary.cost is None else f", {price(summary.cost)}"
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
        yield f"hf-text: warning: {summary.truncated:,} answers were cut off; raise the limit with --max-tokens"
    if summary.failed:
        why = ", ".join(f"{count:,} {name}" for name, count in summary.errors.items()) or "in earlier runs"
        rows = "1 row" if summary.failed == 1 else f"{summary.failed:,} rows"
        yield f"hf-text: warning: {rows} failed ({why}); {output} says why. Repeat the command to retry them"
    if summary.stopped_by:
        yield f"hf-text: stopped by {summary.stopped_by}; repeat the same command to continue"


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
