"""What is known of each row, by its name, in about 20 bytes: names themselves would take a hundred.

A name is known by its 64-bit hash: 15 bits choose one of 32,768 buckets, six bytes stand in it, with what is known. Two
among 10 million names share a hash once in 200,000 runs; the fingerprints of what was asked tell them apart even then.
"""

from __future__ import annotations

__all__ = ["ANSWERED", "DOUBLE", "FAILED", "NO_FINGERPRINT", "SEEN", "Index"]

ANSWERED, FAILED, DOUBLE, SEEN = 1, 2, 4, 8
"""What is known of a row: it has an answer, or a failure; more than one line; it stood in the inputs. They add up."""

NO_FINGERPRINT = bytes(8)
"""Stands for a fingerprint that is not known."""

_BUCKETS = 1 << 15
_MASK = _BUCKETS - 1
_KEY = 6
_KEYS = (1 << 8 * _KEY) - 1
_FLAGS = _KEY + len(NO_FINGERPRINT)
_RECORD = _FLAGS + 1
_BYTES = [bytes([flags]) for flags in range(2 * SEEN)]


class Index:
    """What is known of rows, by their names."""

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(_BUCKETS)]

    def get(self, name: str) -> tuple[int, bytes]:
        """What is known of this row, and the fingerprint of what was asked."""
        bucket, key = self._place(name)
        at = _find(bucket, key)
        return (0, NO_FINGERPRINT) if at < 0 else (bucket[at + _FLAGS], bytes(bucket[at + _KEY : at + _FLAGS]))

    def set(self, name: str, known: int, fingerprint: bytes = NO_FINGERPRINT) -> None:
        """Note this instead of what was known of the row."""
        bucket, key = self._place(name)
        at = _find(bucket, key)
        record = key + fingerprint + _BYTES[known]
        if at < 0:
            bucket += record
        else:
            bucket[at : at + _RECORD] = record

    # A million rows pass through these two: what they would call is written out.

    def add(self, name: str, known: int, fingerprint: bytes) -> bool:
        """Note this if nothing was known of the row. Returns whether that was so."""
        hashed = hash(name)
        bucket = self._buckets[hashed & _MASK]
        key = (hashed >> 15 & _KEYS).to_bytes(_KEY, "little")
        at = bucket.find(key)
        if at >= 0 and (not at % _RECORD or _find(bucket, key) >= 0):
            return False
        bucket += key + fingerprint + _BYTES[known]
        return True

    def see(self, name: str) -> tuple[int, bytes]:
        """As ``get``; and from now on it is known that the row stood in the inputs."""
        hashed = hash(name)
        bucket = self._buckets[hashed & _MASK]
        key = (hashed >> 15 & _KEYS).to_bytes(_KEY, "little")
        at = bucket.find(key)
        if at > 0 and at % _RECORD:
            at = _find(bucket, key)
        if at < 0:
            bucket += key + NO_FINGERPRINT + _BYTES[SEEN]
            return 0, NO_FINGERPRINT
        flags = at + _FLAGS
        known = bucket[flags]
        bucket[flags] = known | SEEN
        return known, bytes(bucket[at + _KEY : flags])

    def _place(self, name: str) -> tuple[bytearray, bytes]:
        """The bucket of a name, and what its record begins with."""
        hashed = hash(name)
        return self._buckets[hashed & _MASK], (hashed >> 15 & _KEYS).to_bytes(_KEY, "little")


def _find(bucket: bytearray, key: bytes) -> int:
    """Where a record begins; below 0 if there is none."""
    at = bucket.find(key)
    while at >= 0 and at % _RECORD:  # that is the end of one record and the beginning of another
        at = bucket.find(key, at + 1)
    return at
