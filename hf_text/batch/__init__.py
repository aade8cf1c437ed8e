"""Many prompts, one answer each, in a file: resumable, on one machine or on a cluster.

::

    from hf_text import batch

    summary = batch.run("questions.jsonl", "answers.jsonl", model="openai/gpt-oss-120b", max_tokens=500)
    print(summary.done, "of", summary.rows)

**Rows.** A row is a request of OpenAI's Batch API (``{"custom_id": …, "method": "POST", "url":
"/v1/chat/completions", "body": {…}}``), or ``{"prompt": …}`` or ``{"messages": …}``, with options of ``Client.stream``
and a ``custom_id``, or a plain prompt, a str; with a template, a row may have any columns, such as those of a table.
The first 1,000 rows are checked before any is sent, if the inputs can be read twice (a file, a list, a table), the
others when they are sent. A bad row ends the run: rows in flight are finished, then an error that names the line is
raised. Media are read only when their row is sent, in the process that sends it; bad media fail only their own row.

**Results.** A line of the output is a result of the Batch API: ``{"id", "custom_id", "response": {"status_code",
"request_id", "body"}, "error"}``, in the order in which the answers came. ``error`` is null, or ``{"code",
"message"}`` for a row that failed.

**Resuming.** The output is also the journal: rows whose answer is in it are not sent again, whatever ended the
earlier run (a crash, a ``kill -9``, Ctrl-C). A row is identified by its name, or, if it has none, by its content; the
same name with another prompt or other options is an error, or is sent again (``stale``). A lock prevents a second run.
A process that dies loses only the rows in flight.

**Pace.** See ``Pace``. If the server rejects a row temporarily (429, 503, no connection), nothing is recorded: the rate
is lowered, the run waits as long as the server asks, and the row is sent again.

**Ending.** The first Ctrl-C or SIGTERM starts no more rows and finishes those in flight; the second cancels them. An
error that concerns all rows ends the run too, after the rows in flight are finished: a wrong key, an account without
credits, a server that stays unavailable or requests a delay of more than an hour.
"""

from __future__ import annotations

from .frames import generate_frame
from .generate import Outcomes, generate
from .outcomes import Outcome
from .outputs import failures, merge, read, sort, to_frame
from .pace import Pace
from .progress import Percentiles, Progress, ProviderSummary, Summary
from .runner import run
from .signals import Stopped
from .state import read_state

__all__ = [
    "Outcome",
    "Outcomes",
    "Pace",
    "Percentiles",
    "Progress",
    "ProviderSummary",
    "Stopped",
    "Summary",
    "failures",
    "generate",
    "generate_frame",
    "merge",
    "read",
    "read_state",
    "run",
    "sort",
    "to_frame",
]


def __dir__() -> list[str]:
    return sorted(__all__)
