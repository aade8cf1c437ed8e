"""Many prompts, one answer each, in a file: resumable, on one machine or on a cluster.

::

    from hf_text import batch

    summary = batch.run("questions.jsonl", "answers.jsonl", model="openai/gpt-oss-120b", max_tokens=500)
    print(summary.done, "of", summary.rows)

**Rows.** A row is a request of OpenAI's Batch API (``{"custom_id": …, "method": "POST", "url":
"/v1/chat/completions", "body": {…}}``), or ``{"prompt": …}`` or ``{"messages": …}`` with options of ``Client.stream``
beside it (and a ``custom_id``), or a prompt alone, a str; with a template any columns, such as those of a table. The
first 1,000 are checked before anything is sent, if they can be read twice (a file, a list, a table), the others as they
are asked. A bad row ends the run: what is under way is finished, then the error is raised, which names the line. Media
are read only when their row is asked, where the work is done; what is wrong with them fails their row alone.

**Results.** A line of the output is a result of the Batch API: ``{"id", "custom_id", "response": {"status_code",
"request_id", "body"}, "error"}``, in the order in which the answers came. ``error`` is null, or ``{"code",
"message"}`` for a row that failed.

**Going on.** The output is also the journal: rows whose answer stands in it are not sent again, whatever ended the
earlier run (a crash, a ``kill -9``, Ctrl-C). A row is known by its name, or, if it has none, by its content; the same
name with another question or other options is refused, or asked again (``stale``). A lock keeps a second run off. A
process that dies loses only what was under way.

**Pace.** See ``Pace``. Where the server refuses for now (429, 503, no connection), nothing is recorded: the rate is
lowered, the time that the server asks for is waited, and the row is asked again.

**Ending.** The first Ctrl-C or SIGTERM starts no more rows and finishes what is under way; the second cancels it. An
error that concerns all rows ends the run too, after what is under way is finished: a wrong key, an account without
credits, a server that stays away or asks to wait for more than an hour.
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
