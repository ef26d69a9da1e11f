"""Jinja2 templates of the pages: the files ``parts/*.j2``, always with autoescape."""

import json
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.environment import TemplateModule
from markupsafe import Markup

__all__ = ("embedded", "part", "render", "render_macro")

FOLDER: Final = "parts"


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("workbook.page", FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["embedded"] = embedded
    found.globals["part"] = part
    return found


def render(template: str, **values: object) -> Markup:
    """Return what a template makes of values."""
    return Markup(_environment().get_template(template).render(values))  # noqa: S704 - escaped by Jinja2


def render_macro(template: str, macro: str, **values: object) -> str:
    """Return what one macro of a template makes of values."""
    return str(getattr(_macros(template), macro)(**values))


@cache
def _macros(template: str) -> TemplateModule:
    return _environment().get_template(template).module


def part(name: str) -> Markup:
    """Return a style sheet or a script of the pages, as it stands in its file."""
    text = (resources.files(__package__) / FOLDER / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def embedded(data: object) -> Markup:
    """Return JSON that can stand inside a script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 - nothing in it ends the element
