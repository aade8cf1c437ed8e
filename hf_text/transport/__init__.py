"""Blocking I/O: the key, the sockets, the bytes of a stream. The only importer of requests, urllib3 and sseclient."""

from __future__ import annotations

import urllib3

# It comes with requests, which is content with any version; an old one would fail only in the midst of an answer.
if not hasattr(urllib3.HTTPResponse, "read1"):
    raise ImportError("hf_text needs urllib3 2.2 or newer: pip install --upgrade urllib3")
