"""``-object`` and ``object-add``: properties to memory backends, and the names that other objects may have.

Properties and texts: qapi/qom.json, backends/hostmem*.c (QEMU 7.2 to 10.0), compared with a QEMU 10.0.2.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.scenario import MemoryBackend
from workbook.lib.size import SIZE_LIMIT, KiB, MiB, format_size, strtosz

from .catalogue import object_properties
from .properties import Dialect, Properties

__all__ = ("HARMLESS_OBJECTS", "UNMODELLED_OBJECTS", "backend_from_object", "backend_of", "check_object")

_BACKENDS: Final[dict[str, Literal["ram", "memfd", "file", "shm"]]] = {
    "memory-backend-ram": "ram",
    "memory-backend-memfd": "memfd",
    "memory-backend-file": "file",
    "memory-backend-shm": "shm",
}
HARMLESS_OBJECTS: Final = frozenset(
    "acpi-generic-initiator acpi-generic-port authz-list authz-list-file authz-simple can-bus can-host-socketcan "
    "colo-compare cryptodev-backend cryptodev-backend-builtin dbus-vmstate filter-buffer filter-dump filter-mirror "
    "filter-redirector filter-replay filter-rewriter input-barrier input-linux iothread main-loop pr-manager-helper "
    "qtest rng-builtin rng-egd rng-random secret secret_keyring thread-context throttle-group tls-cipher-suites "
    "tls-creds-anon tls-creds-psk tls-creds-x509 iommufd authz-pam cryptodev-backend-lkcf".split()
)
"""Objects that change no number of the model."""
UNMODELLED_OBJECTS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("sev-guest", "sev-snp-guest", "tdx-guest"),
        "a confidential guest's memory cannot be discarded in the same way, and has attributes of its own in KVM",
    ),
    "cryptodev-vhost-user": "its back end has a memslot limit of its own",
    "x-remote-object": "it hands a device to another process",
    "memory-backend-epc": "SGX memory takes guest addresses behind the boot RAM",
}
"""Objects that may change a number and are not modelled, and how."""
_HUGE: Final = re.compile(r"huge(?:pages?|tlbfs|tlb)?(?:[-_]?(\d+)([KMG])i?B?)?", re.IGNORECASE)
_ON_OFF_AUTO: Final = ("on", "off", "auto")


def backend_from_object(given: Mapping[str, object]) -> MemoryBackend:
    """Read the arguments of ``object-add``.

    Raises
    ------
    BadInput
        Not a memory backend that is modelled.
    Refusal
        Its id or size is missing, or a property is not taken.
    """
    if not isinstance(given, Mapping):
        raise BadInput(f"an object must be given as its properties, not as {given!r:.60}")
    props = Properties(given, Dialect.OBJECT)
    check_object(props)
    backend = backend_of(props, hint=False)
    if backend is None:
        raise BadInput(f"object {given.get('qom-type')!r:.60} is no memory backend: known are {', '.join(_BACKENDS)}")
    return backend


def check_object(props: Properties) -> None:
    """Check an object while the option is read: its type, and the names and types of its properties.

    Raises
    ------
    BadInput
        A memory backend that is not modelled.
    Refusal
        With the words of QEMU's visitors.
    """
    kind = props.text("qom-type")
    if kind is None:
        raise props.refusal("Parameter 'qom-type' is missing", "say which object to make")
    if kind == "memory-backend-epc":
        raise BadInput(f"object {kind!r} is not modelled: {UNMODELLED_OBJECTS[kind]}; leave it out")
    known = object_properties(kind)
    if known is None and kind not in HARMLESS_OBJECTS | UNMODELLED_OBJECTS.keys():
        raise props.refusal(f"Parameter 'qom-type' does not accept value '{kind}'", "-object help lists what there is")
    if props.text("id") is None:
        raise props.refusal("Parameter 'id' is missing", "give the object an id")
    # what QEMU's help tells of them leaves out what they inherit
    if known is None or kind in UNMODELLED_OBJECTS:
        return
    if kind in _BACKENDS:
        _check_backend(kind, props)
    unknown = [key for key in props.values if key not in known and key not in ("qom-type", "id")]
    if unknown:
        words = "Parameter '{}' is unexpected" if props.dialect is Dialect.JSON else "Invalid parameter '{}'"
        raise props.refusal(words.format(unknown[0]), f"{kind} has no such property")


def _check_backend(kind: str, props: Properties) -> None:
    """Read what has a type, in the schema's order: a missing size is found on the way."""
    props.flag("dump")
    props.flag("merge")
    props.choice("policy", ("default", "preferred", "bind", "interleave"))
    for key in ("prealloc", "share", "reserve"):
        props.flag(key)
    if "size" not in props:
        raise props.refusal("Parameter 'size' is missing", f"give memory backend {props.values['id']!r} a size")
    props.size("size")
    if kind == "memory-backend-memfd":
        props.flag("hugetlb")
        props.size("hugetlbsize")
        props.flag("seal")
    if kind == "memory-backend-file":
        props.size("align")
        props.size("offset")
        props.flag("discard-data")
        if props.text("mem-path") is None:
            raise props.refusal(
                "Parameter 'mem-path' is missing", f"give memory backend {props.values['id']!r} a mem-path"
            )
        props.flag("pmem")
        props.flag("readonly")
        props.choice("rom", _ON_OFF_AUTO)


def backend_of(props: Properties, *, hint: bool = True, prealloc: bool = False) -> MemoryBackend | None:
    """Make the memory backend of an object that `check_object` took; None where it is another object.

    Parameters
    ----------
    hint
        With the second line that QEMU's command line has for ids.
    prealloc
        ``-mem-prealloc``: the default of its prealloc=.

    Raises
    ------
    BadInput, Refusal
        As `backend_from_object`; QEMU reports these without the option.
    """
    kind = str(props.values["qom-type"])
    if kind not in _BACKENDS:
        return None
    short, name = _BACKENDS[kind], str(props.values["id"])
    props = Properties(props.values, props.dialect)
    props.check_identifier(hint=hint)
    size = props.size("size")
    if not size:
        raise Refusal(f"property 'size' of {kind} doesn't take value '0'", f"give memory backend {name!r} a size")
    huge = short == "memfd" and props.flag("hugetlb")
    page_size = props.size("hugetlbsize", 2 * MiB) if short == "memfd" else 4 * KiB
    if "hugetlbsize" in props and not page_size:
        raise Refusal(f"Property '{kind}.hugetlbsize' doesn't take value '0'", "use 2M or 1G")
    path = props.text("mem-path") if short == "file" else None
    if path == "":
        raise Refusal("can't open backing store  for guest RAM: No such file or directory", "give mem-path a path")
    if not huge:
        page_size = page_size_of(path)
    elif page_size & (page_size - 1):
        raise Refusal("Hugepage size must be a power of 2", "use 2M or 1G")
    elif page_size < 64 * KiB:
        raise BadInput(f"hugetlbsize {page_size} is no huge page of a PC: use 2M or 1G")
    align, readonly = 0, False
    rom: bool | None = None
    if short == "file":
        align, readonly = props.size("align"), props.flag("readonly")
        if align & (align - 1):
            raise Refusal(f"alignment {align:#x} must be a power of two", "use a power of two, such as 2M")
        wanted = props.choice("rom", _ON_OFF_AUTO)
        rom = None if wanted in (None, "auto") else wanted == "on"
        if rom and not readonly:
            raise Refusal(
                "property 'rom' = 'on' is not supported with 'readonly' = 'off'",
                "open the file read-only, or leave rom out",
            )
    if short == "shm" and not props.flag("share", default=True):
        raise Refusal("can't create shm backend with `share=off`", "leave share out")
    reserve, prealloc = props.flag("reserve", default=True), props.flag("prealloc", default=prealloc)
    if prealloc and not reserve:
        raise Refusal("'prealloc=on' and 'reserve=off' are incompatible", "leave one of them out")
    if props.values.get("policy") in ("bind", "preferred", "interleave") and "host-nodes" not in props:
        raise Refusal(f"host-nodes must be set for policy {props.values['policy']}", "name the host's nodes")
    if huge and size % page_size:
        # ftruncate of a hugetlb memfd (fs/hugetlbfs/inode.c, hugetlbfs_setattr)
        raise Refusal(
            f"failed to resize memfd to {size}: Invalid argument", f"use a multiple of {format_size(page_size)}"
        )
    return MemoryBackend(
        id=name,
        size=size,
        kind=short,
        share=props.flag("share", default=short in ("memfd", "shm")),
        reserve=reserve,
        prealloc=prealloc,
        page_size=page_size,
        mem_path=path,
        readonly=readonly,
        rom=rom,
        pmem=short == "file" and props.flag("pmem"),
        align=align,
    )


def page_size_of(path: str | None) -> int:
    """Guess the page size of a file: hugetlbfs is mounted below a folder named after huge pages, by custom."""
    for part in (path or "").split("/"):
        match = _HUGE.fullmatch(part)
        if match:
            size = strtosz(f"{match[1]}{match[2]}") if match[1] else 2 * MiB
            if size is not None and 4 * KiB <= size < SIZE_LIMIT and size & (size - 1) == 0:
                return size
    return 4 * KiB
