"""QEMU's option syntax: ``key=value`` lists in both of its forms, and C integers.

Sources: util/qemu-option.c, util/keyval.c, util/cutils.c (QEMU 10.0); every text compared with a QEMU 10.0.2. Text is
parsed, never run.
"""

import re
from collections.abc import Iterable
from typing import Final

from workbook.lib.errors import BadInput, Refusal

__all__ = ("collapsed", "opts_pairs", "split_keyval", "split_opts", "strtoll")

_VALUE = re.compile(r"(?:[^,]|,,)*")
_KEY = re.compile(r"[^=,]*")
_QAPI_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_INTEGER = re.compile(
    r"[ \t\n\v\f\r]*(?P<sign>[+-]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*))"
)
_MOST_DIGITS: Final = 40


def split_opts(text: str, first: str = "", *, option: str = "") -> tuple[dict[str, str], tuple[str, ...]]:
    """Split a QemuOpts list as `opts_pairs`, and keep one value of every key.

    Raises
    ------
    BadInput
        The text asks for help.
    """
    pairs, warnings = opts_pairs(text, first, option=option)
    return collapsed(pairs), warnings


def collapsed(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Keep one value of every key: the last holds, but of ids the first."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if key != "id" or key not in found:
            found[key] = value
    return found


def opts_pairs(text: str, first: str = "", *, option: str = "") -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Split a QemuOpts list ``value,key=value,flag,noflag``: the pairs, and QEMU's warnings of bare flags.

    ``,,`` is a comma.

    Parameters
    ----------
    first
        Name of the key that may be left out at the beginning (``-m 4G`` is ``size=4G``).
    option
        Where ``help`` asks for help: the option's name, for the error line; "" where it is a value as any other.

    Raises
    ------
    BadInput
        The text asks for help.
    """
    found: list[tuple[str, str]] = []
    warnings: list[str] = []
    rest = text
    while rest:
        match = _KEY.match(rest)
        assert match is not None
        key, behind = match[0], rest[match.end() :]
        if not behind.startswith("=") and key in ("help", "?") and option:
            raise BadInput(f"-{option} {text:.60} asks QEMU for help and starts no VM: leave it out")
        if behind.startswith("="):
            value, rest = _value(behind[1:])
        elif first:
            key = first
            value, rest = _value(rest)
        else:
            flag, rest = key, behind[1:]
            key, value = (flag[2:], "off") if flag.startswith("no") else (flag, "on")
            warnings.append(f"short-form boolean option '{flag}' deprecated\nPlease use {key}={value} instead")
        first = ""
        found.append((key, value))
    return found, tuple(warnings)


def _value(text: str) -> tuple[str, str]:
    """Take a value off the front of `text`: up to a single comma."""
    match = _VALUE.match(text)
    assert match is not None
    return match[0].replace(",,", ","), text[match.end() + 1 :]


def split_keyval(text: str, first: str, *, option: str) -> dict[str, str]:
    """Split a keyval list ``value,key=value`` (util/keyval.c), which is stricter than `split_opts`.

    Raises
    ------
    Refusal
        A key without a value, or that is no name.
    """
    found: dict[str, str] = {}
    rest = text
    while rest:
        match = _KEY.match(rest)
        assert match is not None
        key, behind = match[0], rest[match.end() :]
        if first and not behind.startswith("="):
            found[first], rest = key, behind[1:]
        else:
            wrong = ""
            if not _QAPI_NAME.fullmatch(key):
                wrong = f"Invalid parameter '{key}'"
            elif not behind.startswith("="):
                wrong = f"Expected '=' after parameter '{key}'"
            if wrong:
                refusal = Refusal(wrong, f"write key=value in -{option}")
                refusal.where = f"-{option} {text}"
                raise refusal
            found[key], rest = _value(behind[1:])
        first = ""
    return found


def strtoll(text: str) -> int | None:
    """Read a C integer of any size (``strtoll`` with base 0): None where there is something else."""
    match = _INTEGER.fullmatch(text)
    if not match:
        return None
    if match["hex"]:
        value = int(match["hex"], 16)
    elif match["octal"]:
        value = int(match["octal"], 8)
    else:
        value = int(match["decimal"][:_MOST_DIGITS])
    return -value if match["sign"] == "-" else value
