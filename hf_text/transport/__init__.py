"""Blocking I/O: the key, the sockets, the bytes of a stream. The only importer of requests, urllib3 and sseclient."""

from __future__ import annotations

from urllib3 import __version__ as _installed
from urllib3.response import HTTPResponse as _HTTPResponse

# urllib3 comes with requests, which is content with any version; without this, an old one would fail in the first answer.
if not hasattr(_HTTPResponse, "read1"):
    raise ImportError(f"hf_text needs urllib3 2.2 or newer, and this is {_installed}: pip install --upgrade urllib3")
