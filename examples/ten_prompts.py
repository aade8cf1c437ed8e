"""Ask ten questions, four at a time, and print the answers in order, each as early as possible.

::

    HF_TOKEN=hf_xxx python ten_prompts.py          # on asyncio
    HF_TOKEN=hf_xxx python ten_prompts.py trio     # on trio
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import anyio

from hf_text import Completion, HFTextError
from hf_text.aio import AsyncClient

THINGS = "octopuses, the Moon, honey, bamboo, lightning, cats, salt, glass, tea, zero"
PROMPTS = [f"Tell me one surprising fact about {thing}, in one sentence." for thing in THINGS.split(", ")]
AT_ONCE = 4


@dataclass
class Job:
    prompt: str
    outcome: Completion | HFTextError | None = None
    done: anyio.Event = field(default_factory=anyio.Event)


async def work(job: Job, client: AsyncClient, limiter: anyio.CapacityLimiter) -> None:
    async with limiter:
        try:
            job.outcome = await client.generate(job.prompt, max_tokens=500)
        except HFTextError as error:  # a failed prompt does not stop the others
            job.outcome = error
    job.done.set()


async def main() -> int:
    jobs = [Job(prompt) for prompt in PROMPTS]
    limiter = anyio.CapacityLimiter(AT_ONCE)
    async with AsyncClient() as client, anyio.create_task_group() as tasks:
        for job in jobs:
            tasks.start_soon(work, job, client, limiter)
        for number, job in enumerate(jobs, 1):
            await job.done.wait()
            failed = "FAILED: " if isinstance(job.outcome, HFTextError) else ""
            print(f"{number:2}. {job.prompt}\n    {failed}{job.outcome}", flush=True)
    return sum(isinstance(job.outcome, HFTextError) for job in jobs)


if __name__ == "__main__":
    failures = anyio.run(main, backend=sys.argv[1] if len(sys.argv) > 1 else "asyncio")
    sys.exit(1 if failures else 0)
