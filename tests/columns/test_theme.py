"""Themes: readable on their page, and told apart without colour."""

import pytest

from workbook.columns.theme import THEMES, Theme, theme_of
from workbook.lib.errors import BadInput
from workbook.lib.size import GiB, MiB, TiB, parse_size, shown_size

PAGES = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))


def luminance(colour: str) -> float:
    """Return the relative luminance that WCAG 2.2 defines."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio that WCAG 2.2 defines."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@PAGES
def test_text_is_readable(theme: Theme) -> None:
    """All text has a contrast of at least 4.5 to what is below it."""
    for colour in (theme.text, theme.muted, theme.accent, theme.alarm):
        assert contrast(colour, theme.page) >= 4.5
    for look in theme.looks.values():
        assert contrast(look.text, look.fill) >= 4.5


@PAGES
def test_curves_stand_out(theme: Theme) -> None:
    """Curves have a contrast of at least 3 to the page."""
    assert all(contrast(colour, theme.page) >= 3 for colour in theme.series)


@PAGES
@pytest.mark.parametrize(
    "together",
    [("unmapped", "empty", "partly", "full"), ("boot", "used", "reserved", "free", "over"), ("del", "add", "nop")],
)
def test_neighbours_differ_without_colour(theme: Theme, together: tuple[str, ...]) -> None:
    """What stands side by side differs in its hatch, or in lightness by at least 1.2."""
    for number, one in enumerate(together):
        for other in together[number + 1 :]:
            left, right = theme.look(one), theme.look(other)
            assert left.hatch != right.hatch or contrast(left.fill, right.fill) >= 1.2


def test_both_pages_have_the_same_roles() -> None:
    """Whatever is drawn on a light page can be drawn on a dark one."""
    assert THEMES["light"].looks.keys() == THEMES["dark"].looks.keys()


def test_unknown_theme() -> None:
    """An unknown theme's error names those that exist."""
    with pytest.raises(BadInput, match="give light or dark"):
        theme_of("blue")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (20736 * MiB, "20.25 GiB"),
        (TiB, "1 TiB"),
        (1029 * GiB, "1029 GiB"),
        (TiB + 1, "1099511627777 B"),
        ((1 << 64) - 1, "18446744073709551615 B"),
    ],
)
def test_sizes_are_short_and_exact(size: int, text: str) -> None:
    """A shown size is the size: shortened only where nothing is lost."""
    assert shown_size(size) == text
    assert parse_size(text) == size
