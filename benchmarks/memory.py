"""The memory use of this process.

On Linux ``getrusage`` is not used: a child process inherits its parent's peak, so a small process would seem as large
as its parent.
"""

from __future__ import annotations

import os
import resource
import sys

_STATUS = "/proc/self/status"


def peak_mib() -> float:
    """The peak resident memory, in MiB."""
    return _read("VmHWM:")


def resident_mib() -> float:
    """The resident memory, in MiB; on systems other than Linux, the peak."""
    return _read("VmRSS:")


def _read(field: str) -> float:
    if not os.path.exists(_STATUS):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    with open(_STATUS, encoding="ascii") as status:
        return int(status.read().partition(field)[2].split()[0]) / 1024
