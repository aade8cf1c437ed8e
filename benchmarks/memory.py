"""How much memory this process holds.

Not by ``getrusage`` where that can be avoided: on Linux a child process inherits the peak that it reports, so
that what is small seems as large as what started it.
"""

from __future__ import annotations

import os
import resource
import sys

_STATUS = "/proc/self/status"


def peak_mib() -> float:
    """The peak of the resident memory, in MiB."""
    return _read("VmHWM:")


def resident_mib() -> float:
    """The resident memory, in MiB; elsewhere than on Linux the peak."""
    return _read("VmRSS:")


def _read(field: str) -> float:
    if not os.path.exists(_STATUS):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    with open(_STATUS, encoding="ascii") as status:
        return int(status.read().partition(field)[2].split()[0]) / 1024
