"""Tokens, time and cost of answers, in one line."""

from __future__ import annotations

from ..client import Client
from ..completion import Completion
from ..conversation import Conversation
from ..errors import HFTextError
from ..tables import price

__all__ = ["describe_total", "describe_usage"]


def describe_usage(client: Client, completion: Completion) -> str:
    """Describe tokens, time, speed, provider and cost, as far as they are known."""
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
    if cost is not None:
        parts.append(price(cost))
    elif client.operations.endpoint.hugging_face:  # the user's own servers have no prices
        parts.append("cost unknown")
    return ", ".join(parts)


def _cost(client: Client, answers: Completion | Conversation) -> float | None:
    try:
        return client.cost(answers)
    except HFTextError:  # no prices are available, but the answer is complete
        return None


def describe_total(client: Client, chat: Conversation) -> str:
    """Describe tokens and cost of a conversation, as far as they are known."""
    if chat.usage is None:
        return "no tokens were counted"
    cost = _cost(client, chat)
    tokens = f"{chat.usage.prompt_tokens:,} + {chat.usage.completion_tokens:,} tokens"
    count = len(chat.completions)
    answers = f"{count} answer{'' if count == 1 else 's'}"
    return f"{tokens} in {answers}, {'cost unknown' if cost is None else price(cost)}"
