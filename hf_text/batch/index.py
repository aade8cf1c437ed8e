"""What is known of each row, by its name, in about 20 bytes: names themselves would take a hundred.

A name is known by its hash: 12 to 18 bits choose its bucket, six bytes stand in it, with what is known. Two among 10
million names share 60 of these bits once in 20,000 runs; the fingerprints of what was asked tell them apart even then.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from struct import Struct

__all__ = ["ANSWERED", "DOUBLE", "FAILED", "NO_FINGERPRINT", "SEEN", "Index"]

ANSWERED, FAILED, DOUBLE, SEEN = 1, 2, 4, 8
"""What is known of a row: it has an answer, or a failure; more than one line; it stood in the inputs. They add up."""

NO_FINGERPRINT = bytes(8)
"""Stands for a fingerprint that is not known."""

_MIN_BITS, _MAX_BITS = 12, 18  # of the number of buckets
_BUCKET = 512  # rows at most, about; fewer cost memory, more cost time
_KEY = 6
_KEYS = (1 << 8 * _KEY) - 1
_FLAGS = _KEY + len(NO_FINGERPRINT)
_RECORD = _FLAGS + 1
_iter_keys = Struct(f"{_KEY}s{_RECORD - _KEY}x").iter_unpack
_iter_records = Struct(f"<{_KEY}s{len(NO_FINGERPRINT)}sB").iter_unpack
_join = bytearray().join  # as large as it must be; += would leave room for more
_BYTES = [bytes([flags]) for flags in range(2 * SEEN)]


class Index:
    """What is known of rows, by their names.

    Args:
        rows: how many there will be, about.
    """

    def __init__(self, rows: int = 0) -> None:
        self._bits = min(max((rows // _BUCKET).bit_length(), _MIN_BITS), _MAX_BITS)
        self._mask = (1 << self._bits) - 1
        self._buckets = [bytearray() for _ in range(1 << self._bits)]
        self._next = array("L", bytes(array("L").itemsize << self._bits))  # where to look first, in each bucket

    def get(self, name: str) -> tuple[int, bytes]:
        """What is known of this row, and the fingerprint of what was asked."""
        number, key = self._place(name)
        bucket = self._buckets[number]
        at = _find(bucket, key)
        return (0, NO_FINGERPRINT) if at < 0 else (bucket[at + _FLAGS], bytes(bucket[at + _KEY : at + _FLAGS]))

    def set(self, name: str, known: int, fingerprint: bytes = NO_FINGERPRINT) -> None:
        """Note this instead of what was known of the row."""
        number, key = self._place(name)
        bucket = self._buckets[number]
        at = _find(bucket, key)
        record = key + fingerprint + _BYTES[known]
        if at < 0:
            self._buckets[number] = _join((bucket, record))
        else:
            bucket[at : at + _RECORD] = record

    def settle(self, merge: Callable[[int, bytes, int, bytes], tuple[int, bytes]]) -> None:
        """Make one record of those that ``load`` put in for the same row.

        Args:
            merge: what is known, and of what, after a record of a row (the first two arguments) and a later one.
        """
        for number, bucket in enumerate(self._buckets):
            if len(set(_iter_keys(bucket))) * _RECORD == len(bucket):
                continue
            merged: dict[bytes, tuple[int, bytes]] = {}
            for key, fingerprint, known in _iter_records(bucket):
                merged[key] = merge(*merged.get(key, (0, NO_FINGERPRINT)), known, fingerprint)
            self._buckets[number] = _join(key + asked + _BYTES[known] for key, (known, asked) in merged.items())

    def count(self, flag: int) -> int:
        """How many rows this is known of."""
        values = [known for known in range(2 * SEEN) if known & flag]
        return sum(bucket[_FLAGS::_RECORD].count(known) for bucket in self._buckets for known in values)

    # A million rows pass through these: what they would call is written out.

    def load(self, name: str, known: int, fingerprint: bytes) -> None:
        """Note this, whatever is known of the row. ``settle`` is to be called before anything else is."""
        hashed = hash(name)
        number = hashed & self._mask
        key = (hashed >> self._bits & _KEYS).to_bytes(_KEY, "little")
        self._buckets[number] = _join((self._buckets[number], key, fingerprint, _BYTES[known]))

    def see(self, name: str) -> tuple[int, bytes]:
        """As ``get``; and from now on it is known that the row stood in the inputs."""
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
        """Whether the row has its answer to this, and was not seen yet; then it is noted as seen. Else nothing is."""
        hashed = hash(name)
        number = hashed & self._mask
        bucket = self._buckets[number]
        record = (hashed >> self._bits & _KEYS).to_bytes(_KEY, "little") + fingerprint
        at = bucket.find(record, self._next[number])  # rows come about in the order in which they were answered
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
        """The number of the bucket of a name, and what its record begins with."""
        hashed = hash(name)
        return hashed & self._mask, (hashed >> self._bits & _KEYS).to_bytes(_KEY, "little")


def _find(bucket: bytearray, key: bytes) -> int:
    """Where a record begins; below 0 if there is none."""
    at = bucket.find(key)
    while at >= 0 and at % _RECORD:  # that is the end of one record and the beginning of another
        at = bucket.find(key, at + 1)
    return at
