"""``hf-text compare MODEL [PROMPT]``: send a prompt to every provider of a model, one after another."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..client import Client
from ..errors import HFTextError, InvalidRequestError
from ..protocol.catalog import ModelProvider
from ..tables import number, price
from .consent import can_ask, consents
from .listing import connected
from .output import Output
from .parsers.compare import COMPARE_PROMPT
from .parsing import Fail
from .plots import Bar, check_plot, write_plot
from .tables import bars, table
from .views import View

__all__ = ["Result", "main"]


@dataclass(frozen=True, slots=True)
class Result:
    """The measurements of one provider; None where unknown."""

    provider: str
    first_token: float | None = None
    tokens_per_second: float | None = None
    cost: float | None = None
    tokens: int | None = None
    characters: int = 0
    finish_reason: str | None = None
    error: str | None = None


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Compare the providers. Returns the exit status: 0 if at least one answered."""
    if values.plot:
        check_plot(values.plot, fail)
    prompt = " ".join(values.words) or COMPARE_PROMPT
    view, results = View(reasoning=False), list[Result]()
    with connected(values, fail) as client:
        endpoint = client.operations.endpoint
        if not endpoint.hugging_face:
            raise InvalidRequestError(
                f"{endpoint.host} has no providers to compare; hf-text ask --usage shows the speed of one answer"
            )
        offers = [offer for offer in client.model(values.name).providers if offer.live]
        if not offers:
            raise InvalidRequestError(f"no provider serves {values.name} now; hf-text providers shows those that could")
        if not (values.demo or _agrees(offers, prompt, values, view)):
            view.note("nothing was sent")
            return 1
        try:
            for offer in offers:
                view.wait(f"asking {offer.provider} ...")
                results.append(_ask(client, values, offer, prompt))
                view.note(_describe(results[-1]))
        finally:  # also after Ctrl-C: show the answers that were paid for
            _show(results, values, view)
    return 0 if any(result.error is None for result in results) else 1


def _describe(result: Result) -> str:
    if result.error:
        return f"{result.provider}: error: {result.error}"
    parts = []
    if result.first_token is not None:
        parts.append(f"first token after {result.first_token:.2f} s")
    if result.tokens_per_second is not None:
        parts.append(f"{result.tokens_per_second:,.0f} tokens/s")
    return f"{result.provider}: {', '.join(parts) or 'answered'}"


def _agrees(offers: Sequence[ModelProvider], prompt: str, values: argparse.Namespace, view: View) -> bool:
    costs = [
        None
        if offer.output_price is None or offer.input_price is None
        else (len(prompt.encode()) * offer.input_price + values.max_tokens * offer.output_price) / 1e6
        for offer in offers
    ]
    known = sum(cost for cost in costs if cost is not None)
    unknown = [offer.provider for offer, cost in zip(offers, costs, strict=True) if cost is None]
    view.note(
        f"this asks {', '.join(offer.provider for offer in offers)}, and may cost up to {price(known)}"
        + (f"; {', '.join(unknown)}: price unknown" if unknown else "")
    )
    if values.yes:
        return True
    if not can_ask():
        raise InvalidRequestError("this is not a terminal, so nobody can confirm; pass --yes")
    return consents("Continue?", view)


def _ask(client: Client, values: argparse.Namespace, offer: ModelProvider, prompt: str) -> Result:
    try:
        answer = client.generate(prompt, values.name, provider=[offer.provider], max_tokens=values.max_tokens)
        cost = client.cost(answer)
    except HFTextError as error:
        return Result(offer.provider, error=" ".join(str(error).split()))
    timings = answer.timings
    first = timings.first_token if timings else None
    tokens = answer.usage.completion_tokens if answer.usage else None
    speed = None
    if timings and first is not None and tokens and timings.total - first > 0.001:
        speed = tokens / (timings.total - first)
    return Result(offer.provider, first, speed, cost, tokens, len(answer.text), answer.finish_reason)


def _show(results: Sequence[Result], values: argparse.Namespace, view: View) -> None:
    out = Output(sys.stdout, vital=True)
    for line in [json.dumps(asdict(result)) for result in results] if values.json else _table(results):
        out.write_line(line)
    if values.plot and results:
        bars = [Bar(result.provider, result.tokens_per_second, result.first_token) for result in results]
        try:
            write_plot(values.plot, values.name, bars)
        except OSError as error:
            raise InvalidRequestError(f"--plot: {error.strerror}: {values.plot}") from None
        view.note(f"{values.plot} shows the comparison")


def _table(results: Sequence[Result]) -> list[str]:
    heads = ("PROVIDER", "FIRST", "", "TOKENS/S", "", "$", "TOKENS", "ENDED BY")
    measured = zip(
        results,
        bars([result.first_token for result in results]),
        bars([result.tokens_per_second for result in results]),
        strict=True,
    )
    rows = [
        (
            result.provider,
            number(result.first_token, 2),
            first,
            number(result.tokens_per_second),
            speed,
            number(result.cost, 6),
            number(result.tokens),
            f"error: {result.error:.60}" if result.error else result.finish_reason or "",
        )
        for result, first, speed in measured
    ]
    return table(heads, rows) if rows else []
