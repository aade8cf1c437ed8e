"""What the library costs beside the model, measured side by side with its peers. See docs/performance.rst.

Measuring processes keep what they compile, as those of users do. With the environment variable ``WITHOUT_ORJSON`` set,
each of them does as if orjson were not installed.
"""

from __future__ import annotations

import os
import sys

WITHOUT_ORJSON = "HF_TEXT_BENCHMARKS_WITHOUT_ORJSON"

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if os.environ.get(WITHOUT_ORJSON):
    sys.modules["orjson"] = None  # type: ignore[assignment]  # importing it then raises ImportError
