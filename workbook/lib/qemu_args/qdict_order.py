"""The order in which QEMU walks a dictionary: properties are set in it, so it decides which wrong one is named."""

from collections.abc import Iterable
from typing import Final

__all__ = ("qdict_order",)

_BUCKETS: Final = 512
"""QDICT_BUCKET_MAX (include/qobject/qdict.h)."""
_U32: Final = (1 << 32) - 1


def _bucket(key: str) -> int:
    """Hash a key as the Trivial Database does (``tdb_hash`` in qobject/qdict.c)."""
    data = key.encode()
    value = (0x238F13AF * len(data)) & _U32
    for index, byte in enumerate(data):
        value = (value + (byte << (index * 5 % 24))) & _U32
    return ((1103515243 * value + 12345) & _U32) % _BUCKETS


def qdict_order(keys: Iterable[str]) -> list[str]:
    """Sort keys as ``qdict_first`` and ``qdict_next`` yield them; within a bucket the newest comes first."""
    newest_first = list(keys)[::-1]
    return sorted(newest_first, key=_bucket)
