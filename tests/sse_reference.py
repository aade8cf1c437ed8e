"""A minimal event stream parser, line by line, after the text of the standard (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import re


def read_events(body: bytes) -> list[tuple[str, str]]:
    """The events of a whole stream, each as ``(type, data)``."""
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    *lines, _unterminated = re.split("\r\n|\n|\r", text)
    events: list[tuple[str, str]] = []
    event_type, data = "", ""
    for line in lines:
        if line == "":
            if data != "":
                events.append((event_type or "message", data.removesuffix("\n")))
            event_type, data = "", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
    return events
