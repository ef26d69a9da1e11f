"""The page or the slides of a notebook."""

from pathlib import Path

from workbook.lib.errors import BadInput

__all__ = ("notebook_page", "slides")


def notebook_page(path: Path, *, command: str = "", title: str = "") -> tuple[str, int]:
    """Return the page of a notebook, and how many positions were decided for it."""
    raise BadInput(f"{path}: {command} {title}")


def slides(path: Path, *, command: str = "", title: str = "") -> tuple[str, int]:
    """Return the slides of a notebook, and how many positions were decided for it."""
    raise BadInput(f"{path}: {command} {title}")
