"""Stores the state of each row by name in about 20 bytes; the names themselves would take a hundred.

A name is stored as its hash: 12 to 18 bits select a bucket, which holds six more bytes and the state. Two of 10
million names share 60 of these bits once in 20,000 runs; even then, the fingerprints of the requests distinguish them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from struct import Struct

__all__ = ["ANSWERED", "DOUBLE", "FAILED", "NO_FINGERPRINT", "SEEN", "Index"]

ANSWERED, FAILED, DOUBLE, SEEN = 1, 2, 4, 8
"""Flags of a row: it has an answer; a failure; more than one line; it was seen in the inputs."""

NO_FINGERPRINT = bytes(8)
"""An unknown fingerprint."""

_MIN_BITS, _MAX_BITS = 12, 18  # log2 of the number of buckets
_BUCKET = 512  # maximum rows per bucket, approximately; fewer cost memory, more cost time
_KEY = 6
_KEYS = (1 << 8 * _KEY) - 1
_FLAGS = _KEY + len(NO_FINGERPRINT)
_RECORD = _FLAGS + 1
_iter_keys = Struct(f"{_KEY}s{_RECORD - _KEY}x").iter_unpack
_iter_records = Struct(f"<{_KEY}s{len(NO_FINGERPRINT)}sB").iter_unpack
_join = bytearray().join  # allocates the exact size; += would over-allocate
_BYTES = [bytes([flags]) for flags in range(2 * SEEN)]


class Index:
    """The state of rows by name.

    Args:
        rows: the approximate number of rows.
    """

    def __init__(self, rows: int = 0) -> None:
        self._bits = min(max((rows // _BUCKET).bit_length(), _MIN_BITS), _MAX_BITS)
        self._mask = (1 << self._bits) - 1
        self._buckets = [bytearray() for _ in range(1 << self._bits)]
        self._next = array("L", bytes(array("L").itemsize << self._bits))  # where to search first in each bucket

    def get(self, name: str) -> tuple[int, bytes]:
        """Return the flags of a row, and the fingerprint of its request."""
        number, key = self._place(name)
        bucket = self._buckets[number]
        at = _find(bucket, key)
        return (0, NO_FINGERPRINT) if at < 0 else (bucket[at + _FLAGS], bytes(bucket[at + _KEY : at + _FLAGS]))

    def set(self, name: str, known: int, fingerprint: bytes = NO_FINGERPRINT) -> None:
        """Replace the record of a row."""
        number, key = self._place(name)
        bucket = self._buckets[number]
        at = _find(bucket, key)
        record = key + fingerprint + _BYTES[known]
        if at < 0:
            self._buckets[number] = _join((bucket, record))
        else:
            bucket[at : at + _RECORD] = record

    def settle(self, merge: Callable[[int, bytes, int, bytes], tuple[int, bytes]]) -> None:
        """Merge the records that ``load`` added for the same row.

        Args:
            merge: combines the flags and fingerprint of a row (the first two arguments) with those of a later record.
        """
        for number, bucket in enumerate(self._buckets):
            if len(set(_iter_keys(bucket))) * _RECORD == len(bucket):
                continue
            merged: dict[bytes, tuple[int, bytes]] = {}
            for key, fingerprint, known in _iter_records(bucket):
                merged[key] = merge(*merged.get(key, (0, NO_FINGERPRINT)), known, fingerprint)
            self._buckets[number] = _join(key + asked + _BYTES[known] for key, (known, asked) in merged.items())

    def count(self, flag: int) -> int:
        """Return the number of rows with this flag."""
        values = [known for known in range(2 * SEEN) if known & flag]
        return sum(bucket[_FLAGS::_RECORD].count(known) for bucket in self._buckets for known in values)

    # These run for millions of rows, so helpers are inlined.

    def load(self, name: str, known: int, fingerprint: bytes) -> None:
        """Append a record without looking for an existing one. ``settle`` must be called before any other method."""
        hashed = hash(name)
        number = hashed & self._mask
        key = (hashed >> self._bits & _KEYS).to_bytes(_KEY, "little")
        self._buckets[number] = _join((self._buckets[number], key, fingerprint, _BYTES[known]))

    def see(self, name: str) -> tuple[int, bytes]:
        """Like ``get``, and mark the row as seen in the inputs."""
        hashed = hash(name)
        number = hashed & self._mask
        bucket = self._buckets[number]
        key = (hashed >> self._bits & _KEYS).to_bytes(_KEY, "little")
        at = bucket.find(key)
        if at > 0 and at % _RECORD:
            at = _find(bucket, key)
        if at < 0:
            self._buckets[number] = _join((bucket, key, NO_FINGERPRINT, _BYTES[SEEN]))
            return 0, NO_FINGERPRINT
        flags = at + _FLAGS
        known = bucket[flags]
        bucket[flags] = known | SEEN
        return known, bytes(bucket[at + _KEY : flags])

    def see_answer(self, name: str, fingerprint: bytes) -> bool:
        """Return whether the row has an answer to this request and was not seen yet. If so, mark it as seen."""
        hashed = hash(name)
        number = hashed & self._mask
        bucket = self._buckets[number]
        record = (hashed >> self._bits & _KEYS).to_bytes(_KEY, "little") + fingerprint
        at = bucket.find(record, self._next[number])  # inputs are roughly in the order of the answers
        if at < 0:
            at = bucket.find(record)
        if at < 0 or at % _RECORD:
            return False
        self._next[number] = at + _RECORD
        at += _FLAGS
        known = bucket[at]
        if known & (ANSWERED | SEEN) != ANSWERED:
            return False
        bucket[at] = known | SEEN
        return True

    def _place(self, name: str) -> tuple[int, bytes]:
        """Return the bucket number of a name, and the key that its record begins with."""
        hashed = hash(name)
        return hashed & self._mask, (hashed >> self._bits & _KEYS).to_bytes(_KEY, "little")


def _find(bucket: bytearray, key: bytes) -> int:
    """Return the offset of a record, or a negative number if there is none."""
    at = bucket.find(key)
    while at >= 0 and at % _RECORD:  # a match that is not at the start of a record
        at = bucket.find(key, at + 1)
    return at
