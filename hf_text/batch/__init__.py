"""Many prompts, one answer each, in a file: resumable, on one machine or on a cluster.

::

    from hf_text import batch

    summary = batch.run("questions.jsonl", "answers.jsonl", model="openai/gpt-oss-120b", max_tokens=500)
    print(summary.done, "of", summary.rows)

**Rows.** A row is a request of OpenAI's Batch API (``{"custom_id": …, "method": "POST", "url":
"/v1/chat/completions", "body": {…}}``), or ``{"prompt": …}`` or ``{"messages": …}`` with options of ``Client.stream``
beside it (and a ``custom_id``), or a prompt alone, a str. They are checked before anything is sent, if they can be
read twice (a file, a list); others (a pipe, a generator) are checked one by one as they are taken, a few ahead of the
work. A bad row ends the run: what is under way is finished, then the error is raised, which names the line. Media are
read only when their row is asked, where the work is done; what is wrong with them fails their row alone.

**Results.** A line of the output is a result of the Batch API: ``{"id", "custom_id", "response": {"status_code",
"request_id", "body"}, "error"}``, in the order in which the answers came. ``error`` is null, or ``{"code",
"message"}`` for a row that failed.

**Going on.** The output is also the journal: rows whose answer stands in it are not sent again, whatever ended the
earlier run (a crash, a ``kill -9``, Ctrl-C). A row is known by its ``custom_id``, or, if it has none, by its content;
to have the same rows answered in another way, name another output. A lock keeps a second run off. A process that dies
loses only what was under way. What was written is flushed to the disk once a second, so that a power cut costs no more
than that second.

**Pace.** Where the server refuses for now (429, 503, no connection), nothing is recorded: fewer rows are kept in
flight, the time that the server asks for is waited, and the row is asked again.

**Ending.** Ctrl-C stops at once: what is under way is cancelled (other processes are not waited for), what is
finished is kept. An error that concerns all rows ends the run too, after what is under way is finished: a wrong key,
an account without credits, a server that refuses twelve times with no answer between (about four minutes) or asks to
wait for more than an hour.
"""

from __future__ import annotations

from .endings import Stopped
from .frames import generate_frame
from .generate import Outcomes, generate
from .outcomes import Outcome
from .outputs import failures, merge, read, sort, to_frame
from .pace import Pace
from .progress import Percentiles, Progress, ProviderSummary, Summary
from .runner import run
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
