"""The properties given to one option, read by name and type, with QEMU's words for wrong ones.

Sources: qapi/qobject-input-visitor.c, qapi/opts-visitor.c, qapi/string-input-visitor.c (QEMU 10.0); every text compared
with a QEMU 10.0.2.
"""

import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, TypeGuard

from workbook.lib.errors import BadInput, BadValue, Refusal
from workbook.lib.size import SIZE_LIMIT, strtosz

from .syntax import collapsed, opts_pairs, strtoll

__all__ = ("Dialect", "Properties")

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_U64: Final = (1 << 64) - 1


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
    repeated
        Every pair of a key=value list in order: a few options take a key several times.
    """

    def __init__(
        self,
        values: Mapping[str, object],
        dialect: Dialect = Dialect.DEVICE,
        *,
        where: str = "",
        warnings: tuple[str, ...] = (),
        repeated: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.repeated = repeated
        self.values = values
        self.dialect = dialect
        self.where = where
        self.warnings = warnings

    @classmethod
    def parse(
        cls, option: str, text: str, first: str, dialect: Dialect = Dialect.DEVICE, *, json_too: bool = True
    ) -> "Properties":
        """Read an option's value: JSON where it begins with a brace (and the option takes it), else key=value.

        Raises
        ------
        BadInput
            Not a JSON object, or the text asks for help.
        """
        where = f"-{option} {text}"
        if not json_too or not text.startswith("{"):
            pairs, warnings = opts_pairs(text, first, option=option)
            return cls(collapsed(pairs), dialect, where=where, warnings=warnings, repeated=tuple(pairs))
        try:
            members: list[tuple[str, object]] = json.loads(text, object_pairs_hook=list)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"-{option}: not valid JSON: {error}") from None
        props = cls(dict(members), Dialect.JSON, where=where)
        if len(props.values) < len(members):
            raise props.refusal("JSON parse error, duplicate key", "give every key once")
        return props

    def every(self, name: str) -> list[str]:
        """Return all values of a key that may be given several times."""
        return [value for key, value in self.repeated if key == name]

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

    def _is_text(self, value: object) -> TypeGuard[str]:
        return isinstance(value, str) and self.dialect is not Dialect.JSON

    def size(self, name: str, default: int = 0) -> int:
        """Return a size, bytes."""
        value = self.values.get(name, default)
        if not self._is_text(value):
            return self._json_number(name, value)
        size = strtosz(value)
        if size is None or size >= SIZE_LIMIT:
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

    def _json_number(self, name: str, value: object) -> int:
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

    def signed(self, name: str) -> int:
        """Return a signed number of 64 bits."""
        value = self.values[name]
        number = strtoll(value) if self._is_text(value) else value
        limit = 1 << 63
        if isinstance(number, bool) or not isinstance(number, int) or not -limit <= number < limit:
            words = "integer" if self.dialect is not Dialect.OBJECT else "an int64 value"
            raise self._wrong(f"Parameter '{name}' expects {words}", f"{name} {value!r:.60} is not a whole number")
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
        if name not in self.values:
            return None
        if isinstance(value, str):
            return value
        raise self._wrong_type(name, value, "string")

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return one of `allowed`; None where it is not given."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self._wrong(
                f"Parameter '{name}' does not accept value '{value}'",
                f"{name} {value!r:.60}: allowed are {', '.join(allowed)}",
            )
        return value

    def _wrong_type(self, name: str, value: object, expected: str) -> Refusal:
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
