"""The live page: the model itself, run by Pyodide in a reviewer's browser, in one file that loads nothing.

Whatever is pasted there is read and decided by the same `workbook.lib` as everywhere; numpy is not in it, and the
drawings are SVG (`workbook.page.drawing`).
"""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from markupsafe import Markup

from workbook import __version__
from workbook.columns.theme import THEMES, Theme
from workbook.page.templates import render

from .pyodide import VERSION, pyodide

__all__ = ("EXAMPLE", "live_page", "model_archive")

POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'unsafe-inline'; img-src data:"
)
"""Content security policy: run what is inside, WebAssembly included, and load nothing."""
EXAMPLE: Final = (
    "qemu-system-x86_64 -accel kvm -m 4G,maxmem=104G -object memory-backend-memfd,id=mem0,size=100G \\\n"
    "  -device virtio-mem-pci,id=vm0,memdev=mem0,requested-size=20G,dynamic-memslots=on"
)
"""What stands in the text area at first."""
_PACKAGES: Final = ("jinja2", "markupsafe", "yaml")
"""What the model and the page's texts need beside CPython's own library; their pure Python is enough."""
_TEXTS: Final = (
    ("mtree", "info mtree: device memory as QEMU's monitor prints it"),
    ("flat", "info mtree -f: the flat view"),
    ("argv", "QEMU command line"),
    ("xml", "libvirt domain"),
    ("state", "State: paste it into the explorer"),
)
_LEGEND: Final = (
    ("unmapped", "not mapped"),
    ("empty", "mapped, empty"),
    ("partly", "mapped, partly plugged"),
    ("full", "mapped, full"),
    ("plugged", "plugged"),
    ("requested", "requested"),
    ("usable", "usable region"),
)
_PATTERNS: Final = (
    ("empty", "M2 2h1v1h-1z"),
    ("partly", "M0 6L6 0"),
    ("usable", "M0 0L6 6"),
    ("gap", "M0 6L6 0"),
    ("reserved", "M0 6L6 0"),
)
"""Hatches, which say the same as a colour a second time."""


def live_page(*, command: str = "", title: str = "", folder: Path | None = None) -> str:
    """Return the page.

    Parameters
    ----------
    folder
        With Pyodide's files; None: from the cache, or by npm.

    Raises
    ------
    BadInput
        There is no Pyodide: see `workbook.report.pyodide.pyodide`.
    """
    files = pyodide(folder)
    # what could be installed beside it, and from where, is of no use here
    lock = {**json.loads(files["pyodide-lock.json"]), "packages": {}}
    payload = {
        "wasm": files["pyodide.asm.wasm"],
        "stdlib": files["python_stdlib.zip"],
        "loader": files["pyodide.asm.mjs"],
        "lock": json.dumps(lock).encode(),
        "model": model_archive(),
    }
    loader = files["pyodide.js"].decode().partition("//# sourceMappingURL")[0]
    text = render(
        "live.html.j2",
        title=title or "Memory slots: any command line",
        lead="Paste a VM: does QEMU start it, how is virtio-mem cut into memory slots, and what do they cost?",
        command=command,
        policy=POLICY,
        example=EXAMPLE,
        texts=_TEXTS,
        legend=_LEGEND,
        patterns=_PATTERNS,
        styles=("page.css", "live.css"),
        looks=Markup(_looks()),  # noqa: S704 - colours of the charts
        libraries=[Markup(loader)],  # noqa: S704 - Pyodide's, known by its hash
        scripts=("theme.js", "live.js"),
        payload=[(name, _packed(content)) for name, content in payload.items()],
        facts=[
            (
                "Model",
                f"workbook.lib itself, run by CPython in WebAssembly (Pyodide {VERSION}); no rule is in JavaScript.",
            ),
            ("Versions", f"memslot-workbook {__version__}, Pyodide {VERSION}"),
        ],
    )
    return str(text)


def _packed(content: bytes) -> Markup:
    return Markup(b64encode(gzip.compress(content, mtime=0)).decode())  # noqa: S704 - base64


def _looks() -> str:
    """Return the charts' colours as a style sheet, of which drawings name the looks."""
    rules = []
    for name, theme in THEMES.items():
        selector = ":root" if name == "light" else f':root[data-theme="{name}"]'
        rules.append(f"{selector} {{ {' '.join(f'--{one}: {colour};' for one, colour in _colours(theme))} }}")
    for look in THEMES["light"].looks:
        colours = f"fill: var(--fill-{look}); stroke: var(--line-{look});"
        rules.append(f".{look} {{ {colours} background: var(--fill-{look}); border-color: var(--line-{look}); }}")
        rules.append(f".stroke-{look} {{ stroke: var(--line-{look}); }}")
    numbers = range(len(THEMES["light"].series))
    rules += [f".series-{number} {{ fill: var(--series-{number}); stroke: var(--page); }}" for number in numbers]
    return "\n".join(rules)


def _colours(theme: Theme) -> Iterator[tuple[str, str]]:
    for name, look in theme.looks.items():
        yield f"fill-{name}", look.fill
        yield f"line-{name}", look.line
        yield f"on-{name}", look.text
    for number, colour in enumerate(theme.series):
        yield f"series-{number}", colour


def model_archive() -> bytes:
    """Return a zip archive of the model and of the page's texts, the same every time."""
    found: dict[str, bytes] = {}
    _take(found, resources.files("workbook"), "workbook", deep=False)
    for name in ("workbook.lib", "workbook.page", *_PACKAGES):
        _take(found, resources.files(name), name.replace(".", "/"), deep=True)
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for name in sorted(found):
            archive.writestr(ZipInfo(name), found[name])
    return packed.getvalue()


def _take(found: dict[str, bytes], folder: Traversable, name: str, *, deep: bool) -> None:
    for one in folder.iterdir():
        if one.is_dir() and deep and one.name != "__pycache__":
            _take(found, one, f"{name}/{one.name}", deep=True)
        elif one.name == "__init__.py" or (deep and one.name.endswith((".py", ".j2"))):
            found[f"{name}/{one.name}"] = one.read_bytes()
