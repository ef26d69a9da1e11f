"""Scales: the positions that a slider offers for a setting, and how each is written."""

from typing import Final

from workbook.lib.errors import BadInput
from workbook.lib.explore.settings import Setting, SettingValue
from workbook.lib.host import KVM_SLOTS_TODAY
from workbook.lib.size import GiB, TiB, parse_size, shown_size

__all__ = ("LimitScale", "Scale", "SizeScale", "scale_of")

Position = int | None
_SIZE_MARKS: Final = {0: "0", GiB: "1G", 16 * GiB: "16G", 128 * GiB: "128G", TiB: "1T", 8 * TiB: "8T"}
_LIMIT_MARKS: Final = (None, 8, 32, 64, 256, 4096, KVM_SLOTS_TODAY)


class Scale:
    """Positions of one slider; what was typed once stays on offer, so that a drag does not change them."""

    any = "any value"

    def __init__(self, setting: Setting[SettingValue]) -> None:
        self.setting = setting
        self._choices = tuple(value for _, value in setting.choices if value is None or isinstance(value, int))
        self.offered: tuple[Position, ...] = self._choices
        self._limit: int | None = None

    def text(self, value: Position) -> str:
        """Return a value as the field shows it."""
        raise NotImplementedError

    def value(self, text: str) -> Position:
        """Return what was typed.

        Raises
        ------
        BadInput
            It cannot be read.
        """
        raise NotImplementedError

    def mark(self, value: Position) -> str:
        """Return what stands below the slider at a value; empty for nothing."""
        raise NotImplementedError

    def show(self, value: Position, limit: int | None) -> bool:
        """Offer `value`, and nothing above `limit`; return whether the positions have changed."""
        largest = max((one for one in self.offered if one is not None), default=0)
        too_large = limit is not None and value is not None and value <= limit < largest
        if limit == self._limit and value in self.offered and not too_large:
            return False
        kept = {one for one in (self.offered if limit == self._limit else self._choices) if _below(one, limit)}
        kept |= {value} if limit is None else {value, limit}
        self._limit = limit
        self.offered = tuple(sorted(kept, key=lambda one: (one is not None, one or 0)))
        return True

    def offer(self) -> dict[str, object]:
        """Return texts of all positions, and marks as pairs of a position and its text."""
        marks = [[at, text] for at, one in enumerate(self.offered) if (text := self.mark(one))]
        return {"texts": [self.text(one) for one in self.offered], "marks": marks}


def _below(value: Position, limit: int | None) -> bool:
    return limit is None or value is None or value <= limit


class SizeScale(Scale):
    """Round sizes in bytes."""

    any = "any size, such as 100.5G"

    def text(self, value: Position) -> str:
        """Return it in binary units."""
        return str(shown_size(value or 0))

    def value(self, text: str) -> Position:
        """Read a size as QEMU does, and with units as they are shown."""
        size: int = parse_size(text, name=self.setting.label)
        return size

    def mark(self, value: Position) -> str:
        """Return round sizes."""
        return _SIZE_MARKS.get(value or 0, "")


class LimitScale(Scale):
    """Numbers of memslots that kernels and back ends have: about logarithmic."""

    any = "any number of memslots"

    def text(self, value: Position) -> str:
        """Return the number; a star for what QEMU assumes of a back end that says nothing."""
        if value is None:
            return "none"
        known = {one: label.partition(" (")[0] + "*" for label, one in self.setting.choices if one == 0}
        return known.get(value, f"{value:,}")

    def value(self, text: str) -> Position:
        """Read a number, or one of the texts on offer."""
        for one in self.offered:
            if text.strip() == self.text(one):
                return one
        plain = text.strip().replace(",", "")
        if not plain.isascii() or not plain.isdigit() or len(plain) > len(str(1 << 32)):
            allowed = ", or none" if None in self.offered else ""
            raise BadInput(f"{self.setting.label} {text!r:.40}: give a number of memslots{allowed}")
        return int(plain)

    def mark(self, value: Position) -> str:
        """Return the limits that matter."""
        if value not in _LIMIT_MARKS or (value == 8 and 0 in self.offered):
            return ""
        return self.text(value)


def scale_of(setting: Setting[SettingValue]) -> Scale:
    """Return the scale of a size or of a limit."""
    return SizeScale(setting) if setting.kind == "size" else LimitScale(setting)
