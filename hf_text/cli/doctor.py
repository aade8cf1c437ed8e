"""``hf-text doctor``: check everything that an answer depends on, with a fix for each problem; safe to paste."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..client import Client
from ..errors import HFTextError
from ..events import Reasoning
from ..transport.fetch import fetch_json
from ..transport.retries import Retries
from ..tuning import Tuning
from . import findings
from .advice import explain
from .arguments import Options
from .connect import connect
from .consent import can_ask, consents
from .findings import Finding
from .output import Output, wrapping_for
from .parsing import Fail, fill_in_environment, refuse_two_servers
from .pieces import judge_pieces
from .views import View

__all__ = ["main"]

_BILLING_PAGE = "https://huggingface.co/settings/billing"
_SECONDS = 15.0
_PROMPT = "Count from 1 to 40, in words."
_MAX_TOKENS = 64


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Write the report. Returns the exit status: 0 without problems, else 1."""
    found = vars(values)
    refuse_two_servers(found, fail)
    fill_in_environment(found)
    options = Options.of({**found, "timeout": found["timeout"] or _SECONDS})
    out = Output(sys.stdout, vital=True, layout=wrapping_for(sys.stdout))
    well = True
    for finding in _examine(options, found["ask"], quiet=found["json"]):
        well = well and not finding.fix
        if found["json"]:
            out.write_line(json.dumps({name: _safe(text) for name, text in finding._asdict().items()}))
            continue
        out.write_line(f"{'FIX ' if finding.fix else 'ok  '}{finding.what}: {_safe(finding.found)}")
        if finding.fix:
            out.write_line(f"->  {_safe(finding.fix)}")
    return 0 if well else 1


def _examine(options: Options, ask: bool, *, quiet: bool) -> Iterator[Finding]:
    yield findings.tell_versions()
    yield from findings.look_at_proxies()
    yield from findings.look_at_certificates(options.ca_bundle)
    view = View(reasoning=False)
    try:
        with connect(options, view) as client:
            endpoint = client.operations.endpoint
            usable = True
            if not options.demo:
                yield (key := findings.look_at_key(endpoint))
                usable = key.found != findings.UNUSABLE
                yield from findings.look_at_netrc(endpoint)
            yield from findings.look_at_names(endpoint)
            yield from findings.look_at_tls(endpoint, options.ca_bundle)
            if usable:  # otherwise each would report the key again
                well = True
                for finding in _look_at_servers(client, options.bill_to):
                    well = well and not finding.fix
                    yield finding
                if ask or options.demo or (well and not quiet and _agrees(view)):
                    yield from _ask(client, options)
                else:
                    yield Finding("an answer", "not requested; --ask does, and costs next to nothing")
    except HFTextError as error:
        yield Finding("settings", findings.UNUSABLE, explain(error))


def _agrees(view: View) -> bool:
    question = f"Request {_MAX_TOKENS} tokens from a model, to see how they arrive? It costs next to nothing."
    return can_ask() and consents(question, view)


def _look_at_servers(client: Client, bill_to: str | None) -> Iterator[Finding]:
    endpoint = client.operations.endpoint
    if endpoint.hub_url is not None:
        yield from _look_at_account(client, f"{endpoint.hub_url}/api/whoami-v2", bill_to)
    yield _attempt(f"models of {endpoint.host}", lambda: f"{len(client.models(refresh=True)):,}")


def _attempt(what: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(what, work())
    except HFTextError as error:
        return Finding(what, "failed", explain(error))


def _look_at_account(client: Client, url: str, bill_to: str | None) -> Iterator[Finding]:
    """Check the permissions of the key and which account pays, without reporting the owner."""
    operations = client.operations
    try:
        value, _ = fetch_json(operations.connect(), operations.new_call(), url, Retries(0, Tuning()), hugging_face=True)
    except HFTextError as error:
        yield Finding("account", "failed", explain(error))
        return
    yield _judge_rights(value)
    if isinstance(value, dict):
        yield _judge_credits(value, bill_to)


def _judge_rights(value: Any) -> Finding:
    try:
        token = value["auth"]["accessToken"]
        role = str(token["role"])
    except (KeyError, TypeError):
        return Finding("account", "the Hub accepts the key")
    if role in ("read", "write") or "inference.serverless.write" in json.dumps(token):
        return Finding("account", f"may call providers (a key of the kind {role})")
    return Finding(
        "account",
        f"not allowed to call providers (a key of the kind {role})",
        f"give the key the permission 'Make calls to Inference Providers' at {findings.TOKENS_PAGE}",
    )


def _judge_credits(value: dict[str, Any], bill_to: str | None) -> Finding:
    """No endpoint of the Hub reports the remaining credits, only the kind of account."""
    if bill_to is not None:
        orgs = value.get("orgs")
        names = {org.get("name") for org in orgs if isinstance(org, dict)} if isinstance(orgs, list) else {bill_to}
        if bill_to not in names:
            return Finding(
                "credits",
                "the key's owner is not a member of the organisation in --bill-to",
                "check the name, or omit --bill-to",
            )
        return Finding("credits", f"the organisation of --bill-to pays; see {_BILLING_PAGE} for its balance")
    kind = "PRO account" if value.get("isPro") is True else "free account (few credits)"
    return Finding("credits", f"included with a {kind}; see {_BILLING_PAGE} for the balance")


def _ask(client: Client, options: Options) -> Iterator[Finding]:
    arrivals: list[float] = []
    begin = time.monotonic()
    try:
        with client.stream(_PROMPT, options.model, max_tokens=_MAX_TOKENS) as stream:
            for event in stream.events():
                if isinstance(event, (str, Reasoning)):
                    arrivals.append(time.monotonic() - begin)
    except HFTextError as error:
        yield Finding("an answer", "failed", explain(error))
        return
    yield Finding("an answer", f"{stream.completion.model}, {time.monotonic() - begin:.1f} s")
    yield judge_pieces(arrivals)


def _safe(text: str) -> str:
    """Replace the home folder, credentials in URLs and keys."""
    home = os.path.expanduser("~")
    text = text.replace(home, "~") if len(home) > 1 else text
    text = re.sub(r"//[^/@\s]+@", "//***@", text)
    return re.sub(r"\bhf_\w{8,}", "hf_***", " ".join(text.split()))
