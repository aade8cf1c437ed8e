"""How much memory a new process on this machine, or in this container, can get."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["free_memory"]

_CGROUPS = Path("/sys/fs/cgroup")


def free_memory() -> int | None:
    """Return the bytes available without ending other programs: the system's, or the rest of the container's limit.

    None if neither is known.
    """
    return min((*_of_the_system(), *_of_the_container()), default=None)


def _of_the_system() -> Iterator[int]:
    with suppress(OSError):
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE)
        if found:
            yield int(found[1]) << 10
            return
    with suppress(AttributeError, ValueError, OSError):  # macOS: the total memory; Windows has no sysconf
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_the_container() -> Iterator[int]:
    """Yield the rest of the limits of control groups, version 2 (its own group and the root) and version 1."""
    groups = [_CGROUPS]
    with suppress(OSError, ValueError):
        own = Path("/proc/self/cgroup").read_text("utf-8").partition("0::/")[2].split("\n")[0]
        groups += [_CGROUPS.joinpath(own), *_CGROUPS.joinpath(own).parents]
    for group in groups:
        yield from _left_of(group / "memory.max", group / "memory.current", group / "memory.stat")
    first = _CGROUPS / "memory"
    yield from _left_of(first / "memory.limit_in_bytes", first / "memory.usage_in_bytes", first / "memory.stat")


def _left_of(limit: Path, used: Path, statistics: Path) -> Iterator[int]:
    with suppress(OSError, ValueError):  # a missing control group, or the limit "max"
        left = int(limit.read_text("ascii")) - int(used.read_text("ascii"))
        # Cached files count as used, but are released when memory is needed.
        cached = re.search(r"^(?:total_)?inactive_file (\d+)", statistics.read_text("ascii"), re.MULTILINE)
        yield left + (int(cached[1]) if cached else 0)
