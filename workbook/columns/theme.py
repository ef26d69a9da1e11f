"""How charts look: colours, hatches and fonts for light and dark pages.

Colours are Okabe and Ito's (Color Universal Design, 2008), which stay apart for every kind of colour vision, some of
them darker so that they stand out from white; a hatch or a dash says the same a second time. Backgrounds are
transparent: the page's shows through.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from workbook.lib.errors import BadInput

__all__ = (
    "FONT",
    "LARGE",
    "NORMAL",
    "PLAIN_FONT",
    "SMALL",
    "THEMES",
    "Look",
    "Theme",
    "ThemeName",
    "theme_of",
)

ThemeName = Literal["light", "dark"]
FONT: Final = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
PLAIN_FONT: Final = FONT.replace("'", "")
"""The same without quotes, for style attributes."""
SMALL: Final = "11px"
NORMAL: Final = "12px"
LARGE: Final = "14px"


@dataclass(frozen=True, slots=True)
class Look:
    """How one kind of thing is drawn: colour, pattern over it, and text on it.

    Attributes
    ----------
    fill
        Colour of the area.
    line
        Colour of the border.
    hatch
        Bokeh hatch pattern; a blank for none.
    text
        Colour of text on the area.
    """

    fill: str
    line: str
    text: str
    hatch: str = " "


@dataclass(frozen=True)
class Theme:
    """Colours for one kind of page.

    Attributes
    ----------
    page
        The background that the colours are meant for; charts do not paint it.
    text, muted, faint
        Text, less important text and axes, grid lines.
    series
        Colours of curves, in order.
    looks
        Name of a role -> how it is drawn.
    """

    name: ThemeName
    page: str
    text: str
    muted: str
    faint: str
    accent: str
    alarm: str
    series: tuple[str, ...]
    looks: dict[str, Look]

    def look(self, role: str) -> Look:
        """Return how things in that role are drawn."""
        return self.looks[role]

    def columns(self, roles: Sequence[str]) -> dict[str, list[str]]:
        """Return the style columns of a data source, one row for each role."""
        looks = [self.looks[role] for role in roles]
        return {
            "fill": [one.fill for one in looks],
            "line": [one.line for one in looks],
        }


BLUE, SKY, YELLOW = "#0072B2", "#56B4E9", "#F0E442"
ORANGE, VERMILION, PURPLE, BLACK, WHITE = "#E69F00", "#D55E00", "#CC79A7", "#111111", "#FFFFFF"

_LIGHT: Final = Theme(
    name="light",
    page="#FFFFFF",
    text="#1A1C1F",
    muted="#5A6068",
    faint="#E3E6EA",
    accent=BLUE,
    alarm="#B3261E",
    series=(BLUE, VERMILION, "#00805E", "#B0528A", "#B77E00", BLACK, "#2E86B8", "#7A6A00"),
    looks={
        "ram": Look("#969CA5", "#5A6068", BLACK),
        "container": Look("#F4F5F7", "#8A919B", "#1A1C1F"),
        "device": Look("#DCE3EA", "#5A6068", "#1A1C1F"),
        "dimm": Look("#C9D3DD", "#5A6068", "#1A1C1F"),
        "unmapped": Look("#ECEEF1", "#B4BAC2", "#1A1C1F"),
        "empty": Look("#D6EAF8", BLUE, "#1A1C1F", hatch="."),
        "partly": Look(SKY, BLUE, BLACK, hatch="/"),
        "full": Look(BLUE, "#FFFFFF", WHITE),
        "plugged": Look("#00805E", "#00543E", WHITE),
        "requested": Look(VERMILION, VERMILION, BLACK),
        "usable": Look("#FFFFFF", VERMILION, "#1A1C1F", hatch="`"),
        "gap": Look("#F4F5F7", "#C3C8CE", "#1A1C1F", hatch="/"),
        "boot": Look("#8A919B", "#5A6068", BLACK),
        "used": Look(BLUE, "#00456B", WHITE),
        "reserved": Look(SKY, BLUE, BLACK, hatch="/"),
        "free": Look("#FFFFFF", "#9AA2AC", "#1A1C1F"),
        "over": Look(VERMILION, "#8A3C00", BLACK, hatch="x"),
        "del": Look(PURPLE, "#7A2F5B", BLACK, hatch="\\"),
        "add": Look("#00805E", "#00543E", WHITE),
        "nop": Look("#E3E6EA", "#8A919B", "#1A1C1F"),
        "a": Look(SKY, BLUE, BLACK, hatch="/"),
        "b": Look(ORANGE, "#7A5200", BLACK, hatch="\\"),
        "both": Look("#8A919B", "#5A6068", BLACK),
    },
)

_DARK: Final = Theme(
    name="dark",
    page="#111417",
    text="#E8EAED",
    muted="#A4ABB3",
    faint="#30363D",
    accent=SKY,
    alarm="#FF8A80",
    series=(SKY, ORANGE, "#2FC79A", PURPLE, YELLOW, "#FF7F3F", "#E8EAED", "#3D9AD6"),
    looks={
        "ram": Look("#8A919B", "#C3C8CE", BLACK),
        "container": Look("#1B2025", "#7C848D", "#E8EAED"),
        "device": Look("#333C45", "#A4ABB3", "#E8EAED"),
        "dimm": Look("#46525D", "#A4ABB3", "#E8EAED"),
        "unmapped": Look("#272D33", "#59616A", "#E8EAED"),
        "empty": Look("#123247", SKY, "#E8EAED", hatch="."),
        "partly": Look("#1F6E9E", SKY, WHITE, hatch="/"),
        "full": Look(SKY, "#111417", BLACK),
        "plugged": Look("#2FC79A", "#9BE8CF", BLACK),
        "requested": Look(ORANGE, ORANGE, BLACK),
        "usable": Look("#111417", ORANGE, "#E8EAED", hatch="`"),
        "gap": Look("#1B2025", "#4A525B", "#E8EAED", hatch="/"),
        "boot": Look("#8A919B", "#C3C8CE", BLACK),
        "used": Look(SKY, "#C5E6FA", BLACK),
        "reserved": Look("#1F6E9E", SKY, WHITE, hatch="/"),
        "free": Look("#161A1E", "#6B737C", "#E8EAED"),
        "over": Look("#FF7F3F", "#FFC9A8", BLACK, hatch="x"),
        "del": Look(PURPLE, "#F3D3E4", BLACK, hatch="\\"),
        "add": Look("#2FC79A", "#9BE8CF", BLACK),
        "nop": Look("#30363D", "#7C848D", "#E8EAED"),
        "a": Look("#1F6E9E", SKY, WHITE, hatch="/"),
        "b": Look("#8A6100", ORANGE, WHITE, hatch="\\"),
        "both": Look("#8A919B", "#C3C8CE", BLACK),
    },
)

THEMES: Final[dict[str, Theme]] = {"light": _LIGHT, "dark": _DARK}


def theme_of(name: str | Theme) -> Theme:
    """Return the theme of that name; a theme itself stays as it is.

    Raises
    ------
    BadInput
        It is neither ``light`` nor ``dark``.
    """
    if isinstance(name, Theme):
        return name
    if name not in THEMES:
        raise BadInput(f"there is no theme {name!r}: give light or dark")
    return THEMES[name]
