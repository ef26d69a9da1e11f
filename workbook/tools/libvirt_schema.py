"""Write `workbook.lib.libvirt.schema_names` from libvirt's RELAX NG schemas.

``python -m workbook.tools.libvirt_schema FOLDER`` where the folder is src/conf/schemas of libvirt's source; prints the
module.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

__all__ = ("main", "names_of")

NAMESPACE: Final = "{http://relaxng.org/ns/structure/1.0}"
WIDTH: Final = 100
_HEAD: Final = '''"""Names of elements and attributes of libvirt's domain XML, made from its schema by a command.

``python -m workbook.tools.libvirt_schema FOLDER > workbook/lib/libvirt/schema_names.py`` with src/conf/schemas of
libvirt {version}.
"""

from typing import Final

__all__ = ("ATTRIBUTES", "DEVICES", "TOP")

_NAMES: Final = """
{names}
"""


def _attributes() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {{}}
    for line in _NAMES.strip().splitlines():
        tag, _, names = line.partition(":")
        found[tag] = found.get(tag, frozenset()) | frozenset(names.split())
    return found


ATTRIBUTES: Final = _attributes()
"""Attributes that the schema knows, by element, wherever it stands."""
TOP: Final = frozenset(
    """
{top}
""".split()
)
"""Elements below ``<domain>``."""
DEVICES: Final = frozenset(
    """
{devices}
""".split()
)
"""Elements below ``<devices>``."""
'''


class _Schema:
    """Definitions of all files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.definitions: dict[str, list[ET.Element]] = defaultdict(list)
        for path in sorted(folder.glob("*.rng")):
            for one in ET.parse(path).getroot().iter(f"{NAMESPACE}define"):  # noqa: S314 - libvirt's own files
                self.definitions[one.get("name", "")].append(one)
        self.root = ET.parse(folder / "domain.rng").getroot()  # noqa: S314 - libvirt's own file

    def content(self, element: ET.Element, seen: set[str]) -> Iterator[ET.Element]:
        """Yield attributes and elements directly within an element, references followed."""
        for one in element:
            tag = one.tag.removeprefix(NAMESPACE)
            if tag in ("attribute", "element"):
                yield one
            elif tag == "ref":
                name = one.get("name", "")
                if name not in seen:
                    seen.add(name)
                    for found in self.definitions[name]:
                        yield from self.content(found, seen)
            else:
                yield from self.content(one, seen)


def _names(element: ET.Element) -> list[str]:
    name = element.get("name")
    return [name] if name else [(one.text or "").strip() for one in element.iter(f"{NAMESPACE}name")]


def names_of(folder: Path) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return the attributes and the children of every element that a domain can have."""
    schema = _Schema(folder)
    attributes: dict[str, set[str]] = defaultdict(set)
    children: dict[str, set[str]] = defaultdict(set)
    start = schema.root.find(f"{NAMESPACE}start")
    todo = list(schema.content(start, set())) if start is not None else []
    done: set[int] = set()
    while todo:
        element = todo.pop()
        if id(element) in done or element.tag != f"{NAMESPACE}element":
            continue
        done.add(id(element))
        found = list(schema.content(element, set()))
        for name in filter(None, _names(element)):
            for one in found:
                kind = attributes if one.tag == f"{NAMESPACE}attribute" else children
                kind[name].update(filter(None, _names(one)))
            attributes.setdefault(name, set())
        todo += found
    return attributes, children


def _wrapped(names: set[str]) -> str:
    lines = [""]
    for name in sorted(names):
        if len(lines[-1]) + len(name) + 1 > WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {name}".strip()
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Print the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="src/conf/schemas of libvirt's source")
    parser.add_argument("--version", default="11.3", help="of libvirt, for the docstring")
    given = parser.parse_args(argv)
    attributes, children = names_of(given.folder)
    # long lists of attributes go on in a second line of the same element
    lines = []
    for tag in sorted(attributes):
        lines += [f"{tag}: {part}".rstrip() for part in _wrapped(attributes[tag]).split("\n")]
    text = _HEAD.format(
        version=given.version,
        names="\n".join(lines),
        top=_wrapped(children["domain"]),
        devices=_wrapped(children["devices"]),
    )
    print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
