"""Blocking HTTP over requests and urllib3, which only this package imports. It knows nothing of chat."""

from __future__ import annotations

import codecs
import weakref

import urllib3

__all__ = ["OLDEST_URLLIB3"]

# It comes with requests, which is content with any version. Older ones take a compressed piece apart whole, however
# large it becomes (CVE-2025-66471), and leave the socket of a proxy that fails for the garbage collector.
OLDEST_URLLIB3 = (2, 6)
_oldest = ".".join(map(str, OLDEST_URLLIB3))
_installed: str = urllib3.__version__  # type: ignore[attr-defined]  # requests reads it, too

if tuple(map(int, _installed.split(".")[:2])) < OLDEST_URLLIB3:
    raise ImportError(
        f"hf_text needs urllib3 {_oldest} or newer, and {_installed} is installed: pip install -U urllib3"
    )

# At the interpreter's end nothing can be imported any more. A request that some ``__del__`` makes then still works if
# what Python and urllib3 import at the first request is there.
weakref.finalize(codecs.CodecInfo, int)
for _name in ("ascii", "latin-1", "iso-8859-1", "utf-8", "utf-8-sig"):
    codecs.lookup(_name)
