"""What an answer took, in one line."""

from __future__ import annotations

from ..client import Client
from ..completion import Completion
from ..errors import HFTextError

__all__ = ["describe_usage"]


def describe_usage(client: Client, completion: Completion) -> str:
    """Tokens, time, speed, provider and cost, as far as they are known."""
    usage, timings = completion.usage, completion.timings
    parts = ["the server did not count the tokens"]
    if usage is not None:
        parts = [f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"]
    if timings is not None:
        parts.append(f"{timings.total:.1f} s")
        if timings.first_token is not None:
            parts.append(f"first word after {timings.first_token:.1f} s")
            writing = timings.total - timings.first_token
            if usage is not None and writing > 0.01:
                parts.append(f"{usage.completion_tokens / writing:,.0f} tokens/s")
    if completion.provider:
        parts.append(completion.provider)
    cost = _cost(client, completion)
    return ", ".join([*parts, "cost unknown" if cost is None else f"${cost:.4g}"])


def _cost(client: Client, completion: Completion) -> float | None:
    try:
        return client.cost(completion)
    except HFTextError:  # the prices cannot be had: the answer is whole all the same
        return None
