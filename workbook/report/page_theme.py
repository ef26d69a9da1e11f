"""The theme of charts in a page: placeholders, for which the page puts in its light or dark colours.

So a chart is built and updated once for both, and the page holds it once.
"""

from dataclasses import fields, replace
from typing import Any, Final
from urllib.parse import quote

from workbook.columns.theme import THEMES, Look, Theme

__all__ = ("COLOURS", "PAGE_THEME", "in_theme")

_PREFIX: Final = "#5EED"
"""What the placeholders begin with: no theme has such a colour."""


class _Placeholders:
    """Gives each pair of a light and a dark colour a placeholder, itself a colour for Bokeh."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str], str] = {}

    def colour(self, light: str, dark: str) -> str:
        if light == dark:
            return light
        return self.pairs.setdefault((light, dark), f"{_PREFIX}{len(self.pairs):02X}")

    def look(self, light: Look, dark: Look) -> Look:
        if light.hatch != dark.hatch:
            raise TypeError("a look has another hatch in the dark theme: a page cannot change it")
        return Look(
            fill=self.colour(light.fill, dark.fill),
            line=self.colour(light.line, dark.line),
            text=self.colour(light.text, dark.text),
            hatch=light.hatch,
        )

    def theme(self, light: Theme, dark: Theme) -> Theme:
        changed: dict[str, Any] = {}
        for one in fields(Theme):
            match getattr(light, one.name), getattr(dark, one.name):
                case str() as a, str() as b if one.name != "name":
                    changed[one.name] = self.colour(a, b)
                case tuple() as a, tuple() as b:
                    changed[one.name] = tuple(self.colour(*pair) for pair in zip(a, b, strict=True))
                case dict() as a, dict() as b:
                    changed[one.name] = {role: self.look(look, b[role]) for role, look in a.items()}
        return replace(light, **changed)


_placeholders = _Placeholders()
PAGE_THEME: Final = _placeholders.theme(THEMES["light"], THEMES["dark"])
COLOURS: Final = {
    name: {placeholder: pair[index] for pair, placeholder in _placeholders.pairs.items()}
    for index, name in enumerate(THEMES)
}
"""The colours of each theme, by placeholder."""


def in_theme(text: str, theme: str) -> str:
    """Return a text with a theme's colours in place of placeholders, as the page's script does."""
    for placeholder, colour in COLOURS[theme].items():
        text = text.replace(placeholder, colour).replace(quote(placeholder), quote(colour))
    return text
