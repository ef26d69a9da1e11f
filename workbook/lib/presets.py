"""Presets: the public name of `workbook.lib.explore.presets`."""

from workbook.lib.explore.presets import PRESETS, Preset, cover_letter

__all__ = ("PRESETS", "Preset", "cover_letter")
