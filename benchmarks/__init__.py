"""The library's own overhead, measured side by side with its peers. See docs/performance.rst.

The measuring processes cache bytecode, like those of users. If the environment variable named by ``WITHOUT_ORJSON`` is
set, they behave as if orjson were not installed.
"""

from __future__ import annotations

import os
import sys

WITHOUT_ORJSON = "HF_TEXT_BENCHMARKS_WITHOUT_ORJSON"

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if os.environ.get(WITHOUT_ORJSON):
    sys.modules["orjson"] = None  # type: ignore[assignment]  # importing it then raises ImportError
