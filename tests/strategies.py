"""Hypothesis strategies that several rooms' tests share: region trees, scenarios, command lines."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from workbook.lib.memory.region import MemoryRegion
from workbook.lib.scenario import Device, Dimm, MemoryBackend, Pmem, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB, round_up

__all__ = ("argument_texts", "identifiers", "region_names", "region_trees", "scenarios", "shell_texts")

SMALL = 48
"""Units in the address spaces of `region_trees`: small enough to paint address by address."""

identifiers = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,8}", fullmatch=True)
region_names = st.sampled_from(("mem0", "mem1", "system", "ram-below-4g", "pc.ram", "/objects/mem0", "a (b): c", "x y"))


def _leaves(unit: int) -> st.SearchStrategy[MemoryRegion]:
    sizes = st.integers(0, SMALL).map(lambda number: number * unit)
    flags = {"enabled": st.sampled_from((True, True, True, False))}
    ram = st.builds(MemoryRegion.ram, region_names, sizes, readonly=st.booleans(), has_fd=st.booleans())
    return st.one_of(ram, st.builds(MemoryRegion.io, region_names, sizes)).flatmap(lambda one: _flagged(one, **flags))


def _flagged(region: MemoryRegion, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[MemoryRegion]:
    flags = {"nonvolatile": st.booleans(), "unmergeable": st.booleans(), **more}
    return st.fixed_dictionaries(flags).map(lambda given: replace(region, **given))


@st.composite
def _containers(draw: st.DrawFn, inner: st.SearchStrategy[MemoryRegion], unit: int) -> MemoryRegion:
    def place(region: MemoryRegion) -> MemoryRegion:
        return region.at(draw(st.integers(0, SMALL)) * unit, priority=draw(st.integers(-2, 2)))

    if draw(st.booleans()):
        target = place(draw(inner))
        offset, size = draw(st.integers(0, SMALL)) * unit, draw(st.integers(0, SMALL)) * unit
        made = MemoryRegion.alias_of(target, draw(region_names), offset, size)
    else:
        made = MemoryRegion.container(
            draw(region_names),
            draw(st.integers(0, SMALL)) * unit,
            [place(one) for one in draw(st.lists(inner, max_size=4))],
        )
    return draw(_flagged(made, enabled=st.sampled_from((True, True, True, False))))


def region_trees(unit: int = 1) -> st.SearchStrategy[MemoryRegion]:
    """Trees of RAM, ROM, I/O, containers and aliases, with every flag, overlapping as they like.

    Parameters
    ----------
    unit
        Every address and size is a multiple of it.
    """
    return st.recursive(_leaves(unit), lambda inner: _containers(inner, unit), max_leaves=8)


@st.composite
def _backends(draw: st.DrawFn, name: str) -> MemoryBackend:
    kind = draw(st.sampled_from(("ram", "memfd", "file")))
    page_size, path = 4 * KiB, None
    if kind == "memfd":
        page_size = draw(st.sampled_from((4 * KiB, 2 * MiB, GiB)))
    if kind == "file":
        page_size, path = draw(
            st.sampled_from(((4 * KiB, "/dev/shm/x"), (2 * MiB, "/dev/hugepages/a,b"), (GiB, "/mnt/huge-1G")))
        )
    size = draw(st.one_of(st.integers(1, 4096).map(lambda number: number * GiB), st.integers(1, 1 << 44)))
    return MemoryBackend(
        id=name,
        # a memfd of huge pages is whole pages
        size=round_up(size, page_size) if kind == "memfd" else size,
        kind=kind,
        share=draw(st.booleans()),
        reserve=(reserve := draw(st.booleans())),
        # the two are incompatible
        prealloc=reserve and draw(st.booleans()),
        page_size=page_size,
        mem_path=path,
    )


def _devices(name: str, memdev: str) -> st.SearchStrategy[Device]:
    ids = st.sampled_from((name, None))
    aligned = st.integers(0, 1 << 20).map(lambda number: number * 2 * MiB)
    virtio_mem = st.builds(
        VirtioMem,
        id=ids,
        memdev=st.just(memdev),
        requested_size=st.one_of(aligned, st.integers(0, 1 << 50)),
        block_size=st.sampled_from((0, MiB, 2 * MiB, GiB)),
        memaddr=aligned,
        node=st.integers(0, 3),
        dynamic_memslots=st.sampled_from((None, True, False)),
        unplugged_inaccessible=st.sampled_from((None, "auto", "on", "off")),
        prealloc=st.booleans(),
    )
    dimm = st.builds(
        Dimm, id=ids, memdev=st.just(memdev), addr=aligned, slot=st.integers(-1, 4), node=st.integers(0, 3)
    )
    pmem = st.builds(Pmem, id=ids, memdev=st.just(memdev), memaddr=aligned)
    vhost = st.builds(
        VhostDevice,
        id=ids,
        driver=st.sampled_from(("vhost-user-fs-pci", "vhost-user-rng-pci", "vhost-user-blk-pci")),
    )
    kernel = st.builds(VhostDevice, id=ids, driver=st.just("vhost-vsock-pci"), kernel=st.just(value=True))
    netdev = st.builds(VhostDevice, id=st.just(name), driver=st.just("netdev vhost-user"))
    return st.one_of(virtio_mem, virtio_mem, dimm, pmem, vhost, kernel, netdev)


def _is_late(device: Device) -> bool:
    """QEMU makes network back ends before any other device."""
    return not (isinstance(device, VhostDevice) and device.driver.startswith("netdev"))


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """VMs as a command line can say them: no actions, no limits of back ends, default rules."""
    names = [f"mem{number}" for number in range(draw(st.integers(0, 4)))]
    backends = [draw(_backends(name)) for name in names]
    ram = draw(
        st.one_of(
            st.integers(1, 64).map(lambda number: number * GiB), st.integers(1, 1 << 24).map(lambda n: n * 8 * KiB)
        )
    )
    ram_backend = None
    if draw(st.booleans()):
        ram_backend = "ram"
        backends.insert(
            draw(st.integers(0, len(backends))), MemoryBackend(id="ram", size=ram, kind="memfd", share=True)
        )
    accel = draw(st.sampled_from(("kvm", "tcg")))
    more = draw(st.sampled_from((0, 4 * KiB, GiB, 512 * GiB)))
    vendors, bits = ("intel", "amd"), (40, 46, 52)
    known = draw(st.booleans())
    return Scenario(
        chipset=draw(st.sampled_from(("q35", "pc"))),
        machine_version=draw(st.sampled_from((None, (6, 1), (8, 2), (10, 0)))),
        accel=accel,
        smm=accel == "kvm" and draw(st.booleans()),
        cpu_vendor=draw(st.sampled_from(vendors)) if known else None,
        phys_bits=draw(st.sampled_from(bits)) if known else None,
        ram=ram,
        maxmem=ram + more,
        ram_slots=draw(st.integers(0, 256)) if more else 0,
        max_ram_below_4g=draw(st.sampled_from((None, GiB, 2 * GiB, 3584 * MiB))),
        ram_backend=ram_backend,
        display=draw(st.booleans()),
        incoming=draw(st.booleans()),
        backends=tuple(backends),
        devices=tuple(
            sorted((draw(_devices(f"dev{number}", name)) for number, name in enumerate(names)), key=_is_late)
        ),
    )


_SNIPPETS = [
    *"-m 4G -M q35 -machine type=pc,smm=on,memory-backend=m -accel kvm -cpu max,phys-bits=48 -numa".split(),
    *"4G,slots=2,maxmem=20G size=1.5G maxmem=16E slots=-1 requested-size=1G block-size=3M dynamic-memslots=on".split(),
    *"-object memory-backend-ram,id=m,size=1G memory-backend-memfd,id=m,size=2M share=on hugetlb=on".split(),
    *"-device virtio-mem-pci,id=v,memdev=m pc-dimm,memdev=m,slot=1 virtio-pmem-pci,memdev=m,memaddr=0x140".split(),
    *"-netdev vhost-user,id=n,chardev=c vhost-user-fs-pci,id=u,chardev=c node,memdev=m node".split(),
    *"-- - help ? = =, , ,, # on off".split(),
    *'{"driver":"virtio-mem-pci","memdev":"m"} {"qom-type":"memory-backend-ram","id":"m","size":1} {} []'.split(),
    *"0 -1 0x10 1e400 99999999999999999999 None ' \" \\ ÿ \U0001f600".split(),
    "\n",
    "\t",
    "",
]
argument_texts = st.lists(
    st.one_of(
        st.sampled_from(_SNIPPETS), st.text(max_size=12), st.lists(st.sampled_from(_SNIPPETS), max_size=4).map(",".join)
    ),
    max_size=10,
)
"""Lists of words that resemble command lines."""
shell_texts = st.one_of(st.text(max_size=60), argument_texts.map(" ".join), argument_texts.map(" \\\n".join))
"""Lines that resemble shell lines."""
