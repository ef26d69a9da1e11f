"""A fleet as one HTML page that needs no network: totals, worst ten, histogram, sorting, filters, details."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Final

from jinja2 import Environment

from workbook.batch.arrow import flat
from workbook.batch.verdict import VERDICTS, CheckRow
from workbook.lib.errors import BadInput
from workbook.lib.size import format_size

__all__ = ("MOST_ROWS", "fleet_page")

MOST_ROWS: Final = 100_000
"""VMs of one page: a browser holds all of them."""
_WORST: Final = 10
_CODED: Final = ("read", "verdict", "message", "binds", "dynamic_message", "vfio", "change")
"""Columns whose values repeat: the page holds each value once and rows refer to it."""
_SIZED: Final = ("metadata_now", "metadata_dynamic", "metadata_nested", "exposed")


def fleet_page(rows: Iterable[CheckRow]) -> str:
    """Return the page.

    Raises
    ------
    BadInput
        More rows than a page holds.
    """
    texts: dict[str, int] = {}
    verdicts: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    columns: dict[str, list[object]] = {}
    for number, row in enumerate(rows, start=1):
        if number > MOST_ROWS:
            raise BadInput(f"a page holds {MOST_ROWS:,} VMs, and there are more: write .parquet, .csv or .jsonl")
        verdicts[row["verdict"]] += 1
        cells = flat(row)
        totals.update({name: size for name in _SIZED if isinstance(size := cells[name], int)})
        for name, value in cells.items():
            if isinstance(value, list):
                columns.setdefault(name, []).append([texts.setdefault(one, len(texts)) for one in value])
            elif name in _CODED:
                columns.setdefault(name, []).append(texts.setdefault(str(value), len(texts)))
            else:
                columns.setdefault(name, []).append(value)
    data = {"texts": list(texts), "columns": columns, "coded": [*_CODED, "notes"]}
    return _rendered(data, verdicts, totals)


def _rendered(data: Mapping[str, object], verdicts: Mapping[str, int], totals: Mapping[str, int]) -> str:
    here = files(__package__)
    template = Environment(autoescape=True).from_string(here.joinpath("fleet.html.j2").read_text("utf-8"))
    # a text of a VM must not end the script element
    packed = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return template.render(
        data=packed,
        script=here.joinpath("fleet.js").read_text("utf-8"),
        style=here.joinpath("fleet.css").read_text("utf-8"),
        count=sum(verdicts.values()),
        verdicts=[(one, verdicts.get(one, 0)) for one in VERDICTS],
        totals=[
            ("metadata now", format_size(totals.get("metadata_now", 0), digits=1)),
            ("after a nested guest in each", format_size(totals.get("metadata_nested", 0), digits=1)),
            ("exposed, not plugged", format_size(totals.get("exposed", 0), digits=1)),
        ],
        worst=_WORST,
    )
