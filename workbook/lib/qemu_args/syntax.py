"""QEMU's option syntax: words, ``key=value`` lists, JSON, and typed values with QEMU's words for wrong ones.

Sources: system/vl.c (``qemu_init``), util/qemu-option.c, util/keyval.c, util/cutils.c, qapi/qobject-input-visitor.c,
qapi/opts-visitor.c (QEMU 10.0); every text compared with a QEMU 10.0.2. Text is parsed, never run.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from workbook.lib.errors import BadInput, BadValue, Refusal
from workbook.lib.size import EXABYTE_LIMIT, strtosz

__all__ = ("Dialect", "Properties", "options_of", "split_keyval", "split_opts", "split_words", "strtoll")

_WITHOUT_VALUE: Final = frozenset(
    "h help version nodefaults no-user-config no-reboot no-shutdown S s snapshot nographic enable-kvm daemonize "
    "no-hpet no-acpi no-fd-bootchk full-screen no-quit usb preconfig only-migratable mem-prealloc win2k-hack "
    "singlestep one-insn-per-tb sdl gtk curses alt-grab ctrl-grab xen-attach xen-domid-restrict enable-sync-profile "
    "perfmap jitdump".split()
)
_BLANKS: Final = " \t\r\n"
_VALUE = re.compile(r"(?:[^,]|,,)*")
_KEY = re.compile(r"[^=,]*")
_QAPI_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_INTEGER = re.compile(
    r"[ \t\n\v\f\r]*(?P<sign>[+-]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<octal>0[0-7]*)|(?P<decimal>[1-9][0-9]*))"
)
_U64: Final = (1 << 64) - 1
_MOST_DIGITS: Final = 40


def split_words(line: str) -> list[str]:
    r"""Split a command line into words as a shell does, without running anything.

    Quotes, backslashes, comments and line continuations are understood; a bare line end separates words, so that
    a line pasted without its backslashes can be read; ``$``, ``*`` and the like stand for themselves.

    Raises
    ------
    BadInput
        A quote that is not closed, or a backslash at the end.

    Examples
    --------
    >>> split_words("-m 4G,\\\n'maxmem=20G' # all of it")
    ['-m', '4G,maxmem=20G']
    """
    words: list[str] = []
    word: list[str] | None = None
    index = 0
    while index < len(line):
        char = line[index]
        index += 1
        if char == "\\":
            if line.startswith(("\n", "\r\n"), index):
                index = line.index("\n", index) + 1
                continue
            if index == len(line):
                raise BadInput("the command line ends with a backslash: take it off or go on")
            word = [] if word is None else word
            word.append(line[index])
            index += 1
        elif char in "'\"":
            text, index = _quoted(line, index, char)
            word = [] if word is None else word
            word.append(text)
        elif char in _BLANKS:
            if word is not None:
                words.append("".join(word))
            word = None
        elif char == "#" and word is None:
            end = line.find("\n", index)
            index = len(line) if end < 0 else end
        else:
            word = [] if word is None else word
            word.append(char)
    if word is not None:
        words.append("".join(word))
    return words


def _quoted(line: str, start: int, quote: str) -> tuple[str, int]:
    """Return what stands between quotes that opened before `start`, and the index behind the closing one."""
    text: list[str] = []
    index = start
    while index < len(line):
        char = line[index]
        index += 1
        if char == quote:
            return "".join(text), index
        if char == "\\" and quote == '"' and index < len(line):
            # within double quotes a backslash is special before these only
            if line.startswith("\r\n", index):
                index += 2
            elif line[index] == "\n":
                index += 1
            elif line[index] in '"\\$`':
                text.append(line[index])
                index += 1
            else:
                text.append(char)
        else:
            text.append(char)
    raise BadInput(f"the command line has a quote {quote} that is not closed: {line[start - 1 : start + 30]!r}")


def options_of(argv: str | Sequence[str], takes_value: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the options of a command line with their values ("" for those without).

    What stands before the first option (``env NAME=VALUE``, the program's name) and disk images are left out.

    Parameters
    ----------
    takes_value
        Options whose value is the next word even if that begins with a minus sign (``-m -1G``).

    Raises
    ------
    BadInput
        Not a list of strings, or a string that cannot be split.
    Refusal
        One of `takes_value` is the last word.
    """
    words = split_words(argv) if isinstance(argv, str) else list(argv)
    if not all(isinstance(one, str) for one in words):
        raise BadInput("the command line must be one string or a list of strings")
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.startswith("-") or word == "-":
            continue
        option = word.removeprefix("--") if word.startswith("--") else word[1:]
        if option in _WITHOUT_VALUE:
            yield option, ""
        elif option in takes_value:
            if index == len(words):
                refusal = Refusal("requires an argument", f"give {word} a value")
                refusal.where = word
                raise refusal
            yield option, words[index]
            index += 1
        elif index < len(words) and not (words[index].startswith("-") and words[index] != "-"):
            yield option, words[index]
            index += 1
        else:
            yield option, ""


def split_opts(text: str, first: str = "", *, option: str = "") -> tuple[dict[str, str], tuple[str, ...]]:
    """Split a QemuOpts list ``value,key=value,flag,noflag``: the pairs, and QEMU's warnings of bare flags.

    ``,,`` is a comma; of several equal keys the last holds, but of ids the first.

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
    found: dict[str, str] = {}
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
        if key != "id" or key not in found:
            found[key] = value
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


class Dialect(Enum):
    """How an option's values are written, and the words QEMU has for wrong sizes and numbers."""

    DEVICE = ("size", "integer")
    OBJECT = ("a size value", "integer")
    CPU = ("size", "uint64")
    JSON = ("uint64", "uint64")


class Properties:
    """The properties given to one option, read by name and type.

    Parameters
    ----------
    values
        As they were written: text, or what JSON has. A value that is not text is read as JSON in every dialect.
    where
        The option, as QEMU prints it before what is wrong with a value; empty for the monitor.
    warnings
        What QEMU warned of before.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        dialect: Dialect = Dialect.DEVICE,
        *,
        where: str = "",
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.values = values
        self.dialect = dialect
        self.where = where
        self.warnings = warnings

    @classmethod
    def parse(cls, option: str, text: str, first: str, dialect: Dialect = Dialect.DEVICE) -> "Properties":
        """Read an option's value: JSON where it begins with a brace, else key=value.

        Raises
        ------
        BadInput
            Not a JSON object, or the text asks for help.
        """
        where = f"-{option} {text}"
        if not text.startswith("{"):
            found, warnings = split_opts(text, first, option=option)
            return cls(found, dialect, where=where, warnings=warnings)
        try:
            pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"-{option}: not valid JSON: {error}") from None
        props = cls(dict(pairs), Dialect.JSON, where=where)
        if len(props.values) < len(pairs):
            raise props.refusal("JSON parse error, duplicate key", "give every key once")
        return props

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def refusal(self, message: str, advice: str) -> Refusal:
        """Return a refusal of this option."""
        return self._placed(Refusal(message, advice))

    def _placed(self, refusal: Refusal) -> Refusal:
        refusal.where, refusal.warnings = self.where, self.warnings
        return refusal

    def _wrong(self, message: str, advice: str) -> Refusal:
        return self._placed(BadValue(message, advice))

    def _is_text(self, value: Any) -> bool:
        return isinstance(value, str) and self.dialect is not Dialect.JSON

    def size(self, name: str, default: int = 0) -> int:
        """Return a size, bytes."""
        value = self.values.get(name, default)
        if not self._is_text(value):
            return self._json_number(name, value)
        size = strtosz(value)
        if size is None or size >= EXABYTE_LIMIT:
            raise self._wrong(
                f"Parameter '{name}' expects {self.dialect.value[0]}",
                f"{name} {value!r:.60} is not a size: give a number below 2^64 with B, K, M, G, T, P or E, "
                "such as 512M or 1.5G",
            )
        return size

    def number(self, name: str, default: int = 0, *, bits: int = 64) -> int:
        """Return an unsigned number of `bits` bits; a negative one wraps as in C, if it has 64."""
        value = self.values.get(name, default)
        number = strtoll(value) if self._is_text(value) else self._json_number(name, value)
        if number is None or not -_U64 <= number <= _U64:
            raise self._wrong(
                f"Parameter '{name}' expects {self.dialect.value[1]}",
                f"{name} {value!r:.60} is not a whole number: give one from 0 to {(1 << bits) - 1}",
            )
        number &= _U64
        if number >> bits:
            raise self._wrong(
                f"Parameter '{name}' expects uint{bits}_t",
                f"{name} {value!r:.60} is out of range: 0 to {(1 << bits) - 1}",
            )
        return number

    def _json_number(self, name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not -(1 << 63) <= value <= _U64:
            raise self._wrong(
                f"Parameter '{name}' expects uint64",
                f"{name} {value!r:.60} is not a whole number: give one from 0 to 2^64 - 1",
            )
        return value & _U64

    def int32(self, name: str, default: int) -> int:
        """Return a signed number of 32 bits."""
        value = self.values.get(name, default)
        if self._is_text(value):
            number = strtoll(value)
        else:
            number = value if isinstance(value, int) and not isinstance(value, bool) else None
        limit = 1 << 63
        if number is None or not -limit <= number < limit:
            raise self._wrong(
                f"Parameter '{name}' expects integer"
                if self._is_text(value)
                else f"Invalid parameter type for '{name}', expected: integer",
                f"{name} {value!r:.60} is not a whole number",
            )
        if not -(1 << 31) <= number < 1 << 31:
            raise self._wrong(
                f"Parameter '{name}' expects int32_t", f"{name} {number} is out of range: -2^31 to 2^31 - 1"
            )
        return number

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a switch."""
        value = self.values.get(name, default)
        if isinstance(value, bool):
            return value
        if not self._is_text(value):
            raise self._wrong_type(name, value, "boolean")
        if value in ("on", "yes", "true", "y"):
            return True
        if value in ("off", "no", "false", "n"):
            return False
        raise self._wrong(f"Parameter '{name}' expects 'on' or 'off'", f"{name} {value!r:.60} is neither on nor off")

    def text(self, name: str) -> str | None:
        """Return text; None where it is not given."""
        value = self.values.get(name)
        if name in self.values and not isinstance(value, str):
            raise self._wrong_type(name, value, "string")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return one of `allowed`; None where it is not given."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self._wrong(
                f"Parameter '{name}' does not accept value '{value}'",
                f"{name} {value!r:.60}: allowed are {', '.join(allowed)}",
            )
        return value

    def _wrong_type(self, name: str, value: Any, expected: str) -> Refusal:
        return self._wrong(
            f"Invalid parameter type for '{name}', expected: {expected}",
            f"{name} {value!r:.60} must be a {expected}",
        )

    def check_identifier(self, *, hint: bool = True) -> None:
        """Check the spelling of the id, if there is one; `hint`: with the second line of QEMU's command line.

        Raises
        ------
        Refusal
            It does not begin with a letter, or has other characters than letters, digits and ``-._``.
        """
        name = self.values.get("id")
        if isinstance(name, str) and not _IDENTIFIER.fullmatch(name):
            second = "\nIdentifiers consist of letters, digits, '-', '.', '_', starting with a letter."
            raise self._wrong(
                f"Parameter 'id' expects an identifier{second if hint else ''}",
                f"id {name!r:.60}: use letters, digits, '-', '.' and '_', starting with a letter",
            )
