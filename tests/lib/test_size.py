"""Sizes: what QEMU takes and how it rounds, what people write, and the way back."""

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from workbook.lib.errors import BadInput
from workbook.lib.size import EiB, GiB, KiB, MiB, PiB, TiB, format_size, parse_size, round_down, round_up, strtosz

ACCEPTED = {
    "65536": 65536,
    "0": 0,
    "00065536": 65536,
    " \t65536": 65536,
    "+65536": 65536,
    "+.5M": 524288,
    ".5M": 524288,
    "5.M": 5 * MiB,
    "1.0": 1,
    "5.B": 5,
    "65536B": 65536,
    "64k": 64 * KiB,
    "1.5m": 1572864,
    "12.345M": 12944671,
    "0.1M": 104858,
    "0.00001M": 10,
    "1000.3333K": 1024341,
    "65536.5K": 67109376,
    "12.3456789012345678901234567890M": 12945383,
    "0.9999999999999999999999K": 1024,
    "0x10000": 65536,
    "+0X10000": 65536,
    "0x1234B": 0x1234B,
    "0x1E": 30,
}
"""Measured on QEMU 10.0.2 (``qom-get /objects/m size``)."""
MALFORMED = (
    *("", "5X", "-1G", "-1", "-0", "1e3", "1e400", "1e+5", "1.5e3K", "1.5", "0.5B", "0x", "0x10M", "0x.8M", "0x1p20"),
    *("inf", "nan", "0b1000", "0o7", "1_000_000", "1 M", "1MB", "1..5M", "1.5.5M", ".", ".M", "+", "+ 5M", "B", "1,5G"),
)
"""What QEMU 10.0.2 refuses with "expects a size value"."""


@pytest.mark.parametrize(("text", "size"), ACCEPTED.items())
def test_qemu_spellings(text: str, size: int) -> None:
    """Every spelling QEMU takes gives QEMU's bytes, fractions rounded to the nearest byte."""
    assert strtosz(text) == parse_size(text) == size


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed(text: str) -> None:
    """What QEMU does not take as a size is refused in one line that names it."""
    assert strtosz(text) is None
    with pytest.raises(BadInput, match=re.escape(repr(text))) as caught:
        parse_size(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["16E", "18446744073709551616", "0x10000000000000000", "9" * 5000, "9999999999999999E"]
)
def test_too_large(text: str) -> None:
    """2^64 bytes and more are out of range, however long the number is."""
    assert (strtosz(text) or 0) >= 1 << 64
    with pytest.raises(BadInput, match="below 2\\^64"):
        parse_size(text)


def test_largest() -> None:
    """2^64 - 1 bytes is a size."""
    assert parse_size("18446744073709551615") == parse_size("0xffffffffffffffff") == 16 * EiB - 1


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GiB", GiB),
        ("1.5 GiB", 3 * GiB // 2),
        ("2304 MiB", 2304 * MiB),
        ("5 B", 5),
        ("2tib", 2 * TiB),
        ("4G ", 4 * GiB),
    ],
)
def test_what_people_write(text: str, size: int) -> None:
    """Beyond QEMU, IEC units with a blank or without are taken; QEMU's own reader refuses them."""
    assert parse_size(text) == size
    assert strtosz(text) is None


@pytest.mark.parametrize(
    ("unit", "text", "size"),
    [("M", "4096", 4 * GiB), ("M", "1.5", 3 * MiB // 2), ("M", "64K", 64 * KiB), ("B", "1", 1)],
)
def test_default_unit(unit: str, text: str, size: int) -> None:
    """The default unit holds only where the text has no suffix."""
    assert parse_size(text, unit=unit) == size


@pytest.mark.parametrize("value", [-1, 1 << 64, True, None, 1.5, [], b"1G"])
def test_not_a_size(value: object) -> None:
    """Numbers out of range and values of other types are bad input."""
    with pytest.raises(BadInput):
        parse_size(value)  # type: ignore[arg-type]


def test_names_what_it_is() -> None:
    """The error line says which size is meant."""
    with pytest.raises(BadInput, match=r"^requested-size '5X' is not a size"):
        parse_size("5X", name="requested-size")


@given(st.integers(0, (1 << 64) - 1))
def test_format_is_exact(size: int) -> None:
    """What format_size prints reads back to the same bytes."""
    assert parse_size(format_size(size)) == size


@given(st.integers(0, (1 << 64) - 1))
def test_numbers_pass(size: int) -> None:
    """A number is bytes, as are its decimal and hexadecimal spellings."""
    assert parse_size(size) == parse_size(str(size)) == parse_size(hex(size)) == size


@given(st.integers(0, (1 << 14) - 1), st.sampled_from("KMGTP"), st.integers(0, 1023))
def test_binary_fractions_are_exact(whole: int, suffix: str, part: int) -> None:
    """A fraction of 2^-10 steps loses nothing: it has an exact binary value."""
    factor = {"K": KiB, "M": MiB, "G": GiB, "T": TiB, "P": PiB}[suffix]
    digits = f"{part / 1024:.10f}".removeprefix("0")
    assert parse_size(f"{whole}{digits}{suffix}") == whole * factor + part * factor // 1024


@given(st.text(max_size=20))
def test_any_text(text: str) -> None:
    """Any text is a size below 2^64 or bad input, nothing else."""
    with suppress(BadInput):
        assert 0 <= parse_size(text) < 1 << 64


@pytest.mark.parametrize(
    ("size", "digits", "text"),
    [
        (0, None, "0 B"),
        (2304 * MiB, None, "2304 MiB"),
        (2304 * MiB, 2, "2.25 GiB"),
        (GiB, 2, "1 GiB"),
        (-GiB, None, "-1 GiB"),
        (-3 * MiB // 2, 1, "-1.5 MiB"),
        (1025, None, "1025 B"),
        (1023, 1, "1023 B"),
        (16 * EiB, None, "16 EiB"),
    ],
)
def test_format(size: int, digits: int | None, text: str) -> None:
    """Exact in the largest unit without a fraction, or rounded to so many digits."""
    assert format_size(size, digits=digits) == text


@given(st.integers(0, 1 << 64), st.integers(1, 1 << 40))
def test_rounding(value: int, multiple: int) -> None:
    """Rounding gives the neighbouring multiples."""
    low, high = round_down(value, multiple), round_up(value, multiple)
    assert low % multiple == high % multiple == 0
    assert low <= value <= high < low + 2 * multiple
    assert (low == high) is (value % multiple == 0)


@pytest.mark.qemu
@pytest.mark.parametrize("text", [*(one for one, size in ACCEPTED.items() if size), *MALFORMED])
def test_against_qemu(text: str, ask_qemu: Callable[..., tuple[str, str]]) -> None:
    """A real QEMU reads every size above to the same bytes, or refuses it."""
    argument = "memory-backend-ram,id=m,reserve=off,size=" + text.replace(",", ",,")
    shown, complaint = ask_qemu(["-object", argument], "qom-get /objects/m size")
    size = strtosz(text)
    if size is None:
        assert complaint.endswith("Parameter 'size' expects a size value")
    else:
        assert complaint == ""
        assert str(size) in shown.splitlines()
