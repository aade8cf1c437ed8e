"""Blocking HTTP over requests and urllib3. No other package imports them; this one knows nothing about chat."""

from __future__ import annotations

import codecs
import weakref

import urllib3

__all__ = ["OLDEST_URLLIB3"]

# requests installs urllib3 and accepts any version. Older versions decompress a whole piece, however large the result
# (CVE-2025-66471), and leave the socket of a failed proxy connection to the garbage collector.
OLDEST_URLLIB3 = (2, 6)
_oldest = ".".join(map(str, OLDEST_URLLIB3))
_installed: str = urllib3.__version__  # type: ignore[attr-defined]  # requests reads it, too

if tuple(map(int, _installed.split(".")[:2])) < OLDEST_URLLIB3:
    raise ImportError(
        f"hf_text needs urllib3 {_oldest} or newer, and {_installed} is installed: pip install -U urllib3"
    )

# Imports fail during interpreter shutdown. Loading what Python and urllib3 import at the first request lets a request
# from some ``__del__`` still work then.
weakref.finalize(codecs.CodecInfo, int)
for _name in ("ascii", "latin-1", "iso-8859-1", "utf-8", "utf-8-sig"):
    codecs.lookup(_name)
