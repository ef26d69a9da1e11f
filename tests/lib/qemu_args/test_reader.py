"""Command lines: every form that is read, what is refused and with which words, and the way back."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from strategies import scenarios

from workbook.lib.actions import Start
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.machine.machine import Machine
from workbook.lib.qemu_args.reader import read_argv, write_argv
from workbook.lib.qemu_args.syntax import split_keyval, split_opts, strtoll
from workbook.lib.qemu_args.words import split_words
from workbook.lib.recording import Recording, Step, predicted
from workbook.lib.rules import get
from workbook.lib.scenario import Dimm, PciDevice, Pmem, Scenario, VhostDevice, VirtioMem
from workbook.lib.size import GiB, KiB, MiB

VM = "-m 4G,maxmem=20G,slots=2 -object memory-backend-ram,id=m,size=4G"


def device(properties: str, before: str = VM) -> Any:
    (found,) = read_argv([*before.split(), "-device", properties]).devices
    return found


# -- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        (" \t\n", []),
        ("-m 4G", ["-m", "4G"]),
        ("-m '4G'\"\"", ["-m", "4G"]),
        ("-m ''", ["-m", ""]),
        ("a\\ b 'c d' \"e f\"", ["a b", "c d", "e f"]),
        ("-m 4G \\\n  -M q35", ["-m", "4G", "-M", "q35"]),
        ("-m 4G,\\\nmaxmem=20G", ["-m", "4G,maxmem=20G"]),
        ("-m 4G \\\r\n -M q35\r\n", ["-m", "4G", "-M", "q35"]),
        ("-m 4G\n-M q35", ["-m", "4G", "-M", "q35"]),
        ("-m 4G # -m 8G\n-M q35", ["-m", "4G", "-M", "q35"]),
        ("# all of it", []),
        ("-name a#b", ["-name", "a#b"]),
        ('\'a\\b\' "a\\b" "a\\"b" "a\\$b"', ["a\\b", "a\\b", 'a"b', "a$b"]),
        ('"a\\\nb"', ["ab"]),
        ("'a\nb'", ["a\nb"]),
        ('-device \'{"driver": "x"}\'', ["-device", '{"driver": "x"}']),
        ("$HOME *", ["$HOME", "*"]),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    """A line splits as a shell splits it; nothing is run or replaced."""
    assert split_words(line) == words


@pytest.mark.parametrize("line", ["'", 'a "b', "a \\", '"\\', "x='1"])
def test_open_words(line: str) -> None:
    """A quote that stays open or a last backslash is bad input in one line."""
    with pytest.raises(BadInput):
        split_words(line)


@given(scenarios())
def test_quoted_words_round_trip(scenario: Scenario) -> None:
    """What the shell's own quoting writes splits into the same words."""
    words = [*write_argv(scenario), "a b", "", "'", '"', "\\", "#", "a\nb"]
    assert split_words(shlex.join(words)) == words


@pytest.mark.parametrize(
    "line",
    [
        "-m 2G",
        "qemu-system-x86_64 -m 2G",
        "/usr/bin/qemu-system-x86_64 -m 2G",
        "env A=b C=d qemu-system-x86_64 -m 2G",
        "A=b qemu-kvm -m 2G",
        "sudo -u qemu qemu-system-x86_64 -m 2G",
        "--m 2G",
        "-m 1G -m 2G",
        "-m size=2G",
        "-m 2048",
        "-m 2048M -smp 4 -name m -no-reboot -S -serial - disk.img -nographic",
    ],
)
def test_program_name_and_other_options(line: str) -> None:
    """Names, variables, disk images and options that do not matter are passed over, in a string and in a list."""
    assert read_argv(line).ram == 2 * GiB
    assert read_argv(line.split()).ram == 2 * GiB


# -- syntax -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "found"),
    [
        ("", "size", {}),
        ("4G", "size", {"size": "4G"}),
        ("size=4G", "x", {"size": "4G"}),
        ("4G,slots=2,", "size", {"size": "4G", "slots": "2"}),
        ("a,,b=c,d=e,,f,,", "n", {"n": "a,b=c", "d": "e,f,"}),
        ("x,share,noreserve", "n", {"n": "x", "share": "on", "reserve": "off"}),
        ("x,id=a,id=b,c=1,c=2", "n", {"n": "x", "id": "a", "c": "2"}),
        ("x,a=b=c,d=", "n", {"n": "x", "a": "b=c", "d": ""}),
        (",a=b", "n", {"n": "", "a": "b"}),
    ],
)
def test_split_opts(text: str, first: str, found: dict[str, str]) -> None:
    """QemuOpts: an implied first key, doubled commas, bare flags, the last of equal keys and the first of ids."""
    assert split_opts(text, first)[0] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("q35", {"type": "q35"}), ("q35,smm=on,", {"type": "q35", "smm": "on"}), ("smm=a,,b", {"smm": "a,b"}), ("", {})],
)
def test_split_keyval(text: str, found: dict[str, str]) -> None:
    """-machine is a keyval list."""
    assert split_keyval(text, "type", option="machine") == found


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-1", -1), (" +7", 7), ("0x1f", 31), ("010", 8), ("-0X10", -16), ("9" * 5000, int("9" * 40))],
)
def test_strtoll(text: str, value: int) -> None:
    """Numbers are read with base 0, as strtoull reads them."""
    assert strtoll(text) == value


@pytest.mark.parametrize("text", ["", " ", "x", "0x", "08", "1 ", "1G", "1_0", "0b1", "--1", "\u0661"])
def test_not_strtoll(text: str) -> None:
    """What follows a number makes it none."""
    assert strtoll(text) is None


# -- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ram", "maxmem", "slots"),
    [
        ("", 128 * MiB, 128 * MiB, 0),
        ("-m 0", 128 * MiB, 128 * MiB, 0),
        ("-m 4G", 4 * GiB, 4 * GiB, 0),
        ("-m 4G,slots=4,maxmem=20G", 4 * GiB, 20 * GiB, 4),
        ("-m 4096,maxmem=20G", 4 * GiB, 20 * GiB, 0),
        ("-m 4G,maxmem=21474836480", 4 * GiB, 20 * GiB, 0),
        ("-m size=1.5G,slots=0x10,maxmem=20G", 1536 * MiB, 20 * GiB, 16),
        ("-m 4G,slots=010,maxmem=20G", 4 * GiB, 20 * GiB, 8),
        ("-m slots=2,maxmem=20G -m 4G", 4 * GiB, 20 * GiB, 2),
        ("-m 4097K", 4104 * KiB, 4104 * KiB, 0),
        ("-m 1B", 8 * KiB, 8 * KiB, 0),
    ],
)
def test_memory(text: str, ram: int, maxmem: int, slots: int) -> None:
    """-m in all its forms: a last digit counts MiB for RAM only, RAM is rounded up to 8 KiB, later ones add up."""
    scenario = read_argv(text)
    assert (scenario.ram, scenario.maxmem, scenario.ram_slots) == (ram, maxmem, slots)


@pytest.mark.parametrize(
    ("text", "chipset", "version"),
    [
        ("", "pc", None),
        ("-M q35", "q35", None),
        ("-machine type=q35", "q35", None),
        ("-machine smm=off,type=q35", "q35", None),
        ("-M q35 -machine smm=off", "q35", None),
        ("-M pc -M q35", "q35", None),
        ("-M pc-q35-6.1", "q35", (6, 1)),
        ("-M pc-i440fx-10.0", "pc", (10, 0)),
        ("-M pc-q35-rhel9.4.0", "q35", (8, 2)),
        ("-M pc-i440fx-rhel7.6.0", "pc", (2, 12)),
        ("-M pc-q35-noble", "q35", (8, 2)),
        ("-M pc-i440fx-jammy-hpb", "pc", (6, 2)),
        ("-M ubuntu-q35", "q35", None),
        ("-M pc-q35-9.2+pve1", "q35", (9, 2)),
        ("-M pc+pve0", "pc", None),
    ],
)
def test_machine(text: str, chipset: str, version: tuple[int, int] | None) -> None:
    """Machine types by chipset and version; a distribution's stand for the version whose compatibility they have."""
    scenario = read_argv(text)
    assert (scenario.chipset, scenario.machine_version) == (chipset, version)


@pytest.mark.parametrize(
    ("text", "accel", "smm"),
    [
        ("", "tcg", True),
        ("-accel kvm", "kvm", False),
        ("-accel kvm,kernel-irqchip=split -M q35,smm=on", "kvm", True),
        ("-enable-kvm -M q35,smm=off", "kvm", False),
        ("-M q35,accel=kvm:tcg,smm=on", "kvm", True),
        ("-accel xen -accel tcg -M q35,smm=off", "tcg", False),
        ("-accel qtest", "qtest", True),
        ("-enable-kvm -machine accel=tcg", "tcg", True),
        ("-machine accel=tcg -enable-kvm", "kvm", False),
    ],
)
def test_accel(text: str, accel: str, smm: bool) -> None:
    """The first accelerator that works, the last -machine accel=; KVM has SMM where it is asked for, TCG unless not."""
    scenario = read_argv(text)
    assert (scenario.accel, scenario.smm) == (accel, smm)


@pytest.mark.parametrize(
    ("text", "vendor", "bits"),
    [
        ("", "amd", 40),
        ("-accel kvm", None, 40),
        ("-cpu Dhyana", None, 40),
        ("-cpu qemu64", "amd", 40),
        ("-cpu max", "amd", 40),
        ("-cpu EPYC-v4,+avx,-sse3", "amd", 40),
        ("-cpu Skylake-Client", "intel", 40),
        ("-cpu qemu64,vendor=GenuineIntel,phys-bits=48", "intel", 48),
        ("-cpu qemu64,phys-bits=0x30,vendor=AuthenticAMD", "amd", 48),
        ("-cpu qemu64,phys-bits=0,host-phys-bits=on", "amd", 40),
        ("-accel kvm -cpu host", None, None),
        ("-accel kvm -cpu max,phys-bits=46", None, None),
        ("-accel kvm -cpu host,host-phys-bits-limit=38", None, 38),
        ("-accel kvm -cpu qemu64,vendor=GenuineIntel,host-phys-bits=on", "intel", None),
        ("-accel kvm -cpu qemu64", None, 40),
    ],
)
def test_processor(text: str, vendor: str | None, bits: int | None) -> None:
    """Vendor and address bits: the model's, the given ones, or with KVM the host's, which are not known."""
    scenario = read_argv(text)
    assert (scenario.cpu_vendor, scenario.phys_bits) == (vendor, bits)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory-backend-ram,id=a,size=1G", {}),
        ("qom-type=memory-backend-ram,id=a,size=1G,merge=off,policy=bind,host-nodes=0", {}),
        (
            "memory-backend-ram,id=a,size=1G,share=on,reserve=yes,prealloc=y",
            {"share": True, "prealloc": True},
        ),
        ("memory-backend-memfd,id=a,size=1G", {"kind": "memfd", "share": True}),
        ("memory-backend-memfd,id=a,size=1G,share=off,seal=off", {"kind": "memfd"}),
        ("memory-backend-memfd,id=a,size=1G,hugetlb=on", {"kind": "memfd", "share": True, "page_size": 2 * MiB}),
        (
            "memory-backend-memfd,id=a,size=1G,hugetlb=on,hugetlbsize=1G",
            {"kind": "memfd", "share": True, "page_size": GiB},
        ),
        ("memory-backend-memfd,id=a,size=1G,hugetlb=off,hugetlbsize=1G", {"kind": "memfd", "share": True}),
        (
            "memory-backend-file,id=a,size=1G,mem-path=/dev/shm/a,,b,align=2M",
            {"kind": "file", "mem_path": "/dev/shm/a,b"},
        ),
        (
            "memory-backend-file,id=a,size=1G,mem-path=/dev/hugepages-1G",
            {"kind": "file", "mem_path": "/dev/hugepages-1G", "page_size": GiB},
        ),
        ('{"qom-type":"memory-backend-ram","id":"a","size":1073741824,"share":true}', {"share": True}),
    ],
)
def test_objects(text: str, expected: dict[str, Any]) -> None:
    """Memory backends with what matters for memory slots, as key=value and as JSON."""
    (found,) = read_argv(["-object", text]).backends
    plain = {"kind": "ram", "share": False, "reserve": True, "prealloc": False, "page_size": 4 * KiB, "mem_path": None}
    assert (found.id, found.size) == ("a", GiB)
    assert {key: getattr(found, key) for key in plain} == plain | expected


def test_other_objects_are_passed_over() -> None:
    """Objects that are no memory backends do not matter."""
    assert read_argv("-object iothread,id=io0 -object rng-random,id=r").backends == ()


def test_virtio_mem() -> None:
    """Every property of a virtio-mem device, as key=value and as JSON, and PCI's own passed over."""
    text = (
        "virtio-mem-pci,id=v,memdev=m,requested-size=1G,block-size=4M,memaddr=0x180000000,node=0,dynamic-memslots=on,"
        "unplugged-inaccessible=on,prealloc=yes,bus=pci.0,addr=0x5,iommu_platform=on,x-early-migration=off"
    )
    expected = VirtioMem(
        id="v",
        memdev="m",
        requested_size=GiB,
        block_size=4 * MiB,
        memaddr=0x1_8000_0000,
        dynamic_memslots=True,
        unplugged_inaccessible="on",
        prealloc=True,
    )
    assert device(text) == expected
    json = (
        '{"driver":"virtio-mem-pci","id":"v","memdev":"m","requested-size":1073741824,"block-size":4194304,"node":0,'
        '"memaddr":6442450944,"dynamic-memslots":true,"unplugged-inaccessible":"on","prealloc":true,"bus":"pci.0"}'
    )
    assert device(json) == expected
    assert device("virtio-mem-pci,memdev=m") == VirtioMem(id=None, memdev="m")
    assert device("virtio-mem-pci,memdev=m,dynamic-memslots").dynamic_memslots is True
    assert device("virtio-mem-pci,memdev=m,nodynamic-memslots").dynamic_memslots is False


def test_older_properties() -> None:
    """The RFC's and the 2021 series' properties are read where the rule set has them, else refused."""
    line = [*VM.split(), "-device", "virtio-mem-pci,id=v,memdev=m,max-memslots=4"]
    assert read_argv(line, rules=get("rfc-2021")).devices[0] == VirtioMem(id="v", memdev="m", max_memslots=4)
    with pytest.raises(Refusal) as caught:
        read_argv(line, rules=get("qemu-10.0"))
    assert caught.value.message == "Property 'virtio-mem-pci.max-memslots' not found"
    assert caught.value.where == f"-device {line[-1]}"


def test_other_memory_devices() -> None:
    """DIMMs and virtio-pmem."""
    assert device("pc-dimm,id=d,memdev=m,slot=1,addr=0x180000000,node=0") == Dimm(
        id="d", memdev="m", addr=6 * GiB, slot=1
    )
    assert device("virtio-pmem-pci,memdev=m,memaddr=6442450944") == Pmem(id=None, memdev="m", memaddr=6 * GiB)


def test_vhost_devices() -> None:
    """vhost devices get their limits by id; QEMU makes network back ends first, wherever they stand."""
    line = (
        "-chardev socket,id=c,path=/tmp/c -device vhost-user-fs-pci,id=fs,chardev=c,tag=t "
        "-device vhost-vsock-pci,id=vs,guest-cid=3 -netdev vhost-user,id=n0,chardev=c -netdev tap,id=n1,vhost=on "
        "-netdev tap,id=n2 -netdev user,id=n3 -device virtio-net-pci"
    )
    assert read_argv(line, vhost_slots={"fs": 64, "n0": 509}).devices == (
        VhostDevice(id="n0", driver="netdev vhost-user", slots=509),
        VhostDevice(id="n1", driver="netdev tap", kernel=True),
        VhostDevice(id="fs", driver="vhost-user-fs-pci", slots=64),
        VhostDevice(id="vs", driver="vhost-vsock-pci", kernel=True),
    )


@pytest.mark.parametrize(
    "line",
    [
        "-machine memory-backend=m -object memory-backend-memfd,id=m,size=4G",
        "-m 4G -machine memory-backend=m -object memory-backend-memfd,id=m,size=4G",
    ],
)
def test_ram_backend(line: str) -> None:
    """The boot RAM's backend; without -m it says how much RAM there is (measured)."""
    scenario = read_argv(line)
    assert (scenario.ram_backend, scenario.ram, scenario.maxmem) == ("m", 4 * GiB, 4 * GiB)


@pytest.mark.parametrize(
    ("line", "fixtures", "incoming"),
    [
        ("", ["VGA", "e1000"], False),
        ("-M q35", ["VGA", "e1000e"], False),
        ("-nodefaults -incoming defer", [], True),
        ("-nodefaults -vga std", ["VGA"], False),
        ("-vga none -incoming tcp:0:1", ["e1000"], True),
        ("-device cirrus-vga -net none", ["cirrus-vga"], False),
        ("-vga virtio -nic user,model=virtio", ["virtio-vga", "virtio-net-pci"], False),
        ("-nodefaults -device rtl8139 -device virtio-rng-pci", ["rtl8139"], False),
    ],
)
def test_fixtures_and_incoming(line: str, fixtures: list[str], incoming: bool) -> None:
    """Displays and network cards, also those of the board, take memory slots; -incoming waits for a migration."""
    scenario = read_argv(line)
    assert ([one.driver for one in scenario.fixtures], scenario.incoming) == (fixtures, incoming)


# -- what is refused --------------------------------------------------------------------------------------------------

NOT_MODELLED = (
    ("-M microvm", "machine type 'microvm' is not modelled (microvm has no PCI and no device memory)"),
    ("-M virt", "machine type 'virt' is not modelled"),
    ("-accel whpx", "accelerator 'whpx' is not modelled: known are kvm, tcg and qtest"),
    ("-readconfig vm.conf", "-readconfig vm.conf: the file cannot be opened from here"),
    ("qemu-system-riscv64 -m 2G", "program 'qemu-system-riscv64' is not modelled"),
    (
        "-object memory-backend-epc,id=e,size=1G",
        "object 'memory-backend-epc' is not modelled: SGX memory",
    ),
    ("-device cxl-type3", "device 'cxl-type3' is not modelled: its memory is behind a CXL window"),
    ("-device hv-balloon", "device 'hv-balloon' is not modelled"),
    ("-device help", "asks QEMU for help"),
    ("-device virtio-mem-pci,?", "asks QEMU for help"),
    ("-version", "asks QEMU for help"),
    ("-object {", "-object: not valid JSON"),
    ("-device {" + "[" * 5000, "-device: not valid JSON"),
    ('-device {"driver":"virtio-mem-pci","requested-size":' + "9" * 5000 + "}", "-device: not valid JSON"),
    ("-m '4G", "quote ' that is not closed"),
)


@pytest.mark.parametrize(("line", "said"), NOT_MODELLED)
def test_not_modelled(line: str, said: str) -> None:
    """What would matter and is not modelled, or cannot be read, is one clear line."""
    with pytest.raises(BadInput) as caught:
        read_argv(line if "'" in line else line.split())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("argv", [[1], [None], [["-m"]], [b"-m"]])
def test_not_words(argv: list[Any]) -> None:
    """A list of other things than strings is bad input."""
    with pytest.raises(BadInput, match="list of strings"):
        read_argv(argv)


VMEM = f"{VM} -device virtio-mem-pci,id=v,memdev=m"
JSON = f'{VM} -device {{"driver":"virtio-mem-pci","id":"v","memdev":"m"'
REFUSED = (
    *("-unknown", "-no-such -m 5X", "-device nvdimm,memdev=m", "-device virtio-mem,memdev=m", "-device sgx-epc"),
    *("-device virtio-mem-pc", "-device usb-tablet", "-M pc-q35-foo", "-M pc-q35-11.9", "-M q35,foo=1 -smp 300"),
    *("-numa node,memdev=m -numa node,memdev=n", "-numa node,nodeid=1", "-numa node -numa node,nodeid=0", "-numa foo"),
    *("-cpu host", "-cpu haswell", "-cpu athlon,phys-bits=40", "-cpu pentium,foo=1", "-cpu qemu64,+foo"),
    *("-set device.nothing.block-size=4M", "-set machine.accel=kvm", "-global foo=1", "-M memory=4G -m 512"),
    *("-vga foo", "-netdev foo,id=n", "-netdev user", "-device VGA,vgamem_mb=x", "-device pc-dimm,bus=foo"),
    f"{VM} -M pc,acpi=off -device pc-dimm,id=d,memdev=m",
    f"{VM} -M q35,nvdimm=on -device nvdimm,id=d,memdev=m,label-size=1",
    f"{VM} -M q35,nvdimm=on -device nvdimm,id=d,memdev=m,label-size=4G",
    "-m 1G,maxmem=1100G -M q35,cxl=on -cpu qemu64,phys-bits=40",
    "-M q35 -global q35-pcihost.pci-hole64-size=2T",
    *(
        "-m 5X",
        "-m -1G",
        "-m 1e400",
        "-m 1.5",
        "-m 16E",
        "-m 0x100",
        "-m 17592186044416",
        "-m size=",
        "-m ,maxmem=8G",
        "-m help",
    ),
    *(
        "-m 4G,,maxmem=20G",
        "-m 4G,4G",
        "-m 4G,foo=bar",
        "-m 4G,maxmem",
        "-m 4G,maxmem=",
        "-m 4G,maxmem=16E",
        "-m 4G,nomaxmem",
    ),
    *("-m 4G,maxmem=20GiB", "-m 4G,slots=1", "-m slots=2", "-m 4G,slots=x,maxmem=8G", "-m 4G,slots=08,maxmem=8G"),
    *(
        "-m 4G,slots=-1,maxmem=8G",
        "-m 4G,slots,maxmem=8G",
        "-m 4G,slots=99999999999999999999,maxmem=8G",
        "-m",
        "-device",
    ),
    *("-m 4G,maxmem=3G", "-m 4G,maxmem=0", "-m 4G,slots=1,maxmem=4G", "-m 4G,slots=257,maxmem=8G", '-m {"size":"4G"}'),
    *("-machine q35,smm", "-machine q35,smm=maybe", "-machine q35,=5", "-machine q35,,x", "-machine smm=off,q35"),
    *("-machine q35,max-ram-below-4g=x", "-machine q35,max-ram-below-4g=5G", "-machine q35,memory-backend=x"),
    *("-machine q35,accel=tcg", "-m 3G -object memory-backend-ram,id=m,size=4G -machine memory-backend=m"),
    *(
        "-m 4G -numa node",
        "-m 4G -numa node,memdev=m",
        "-m 4G -object memory-backend-ram,id=m,size=2G -numa node,memdev=m",
    ),
    "-m 4G -object memory-backend-ram,id=m,size=4G -numa node,memdev=m -machine memory-backend=m",
    *("-cpu qemu64,phys-bits=x", "-cpu qemu64,phys-bits=-1", "-cpu qemu64,phys-bits=31", "-cpu qemu64,phys-bits=53"),
    *("-cpu qemu64,vendor=foo", "-cpu qemu64,host-phys-bits=maybe", "-cpu qemu64,phys-bits"),
    *(
        "-object id=a",
        "-object memory-backend-ram",
        "-object memory-backend-ram,id=m",
        "-object memory-backend-ram,size=1G",
    ),
    *("-object memory-backend-ram,id=,size=1G", "-object memory-backend-ram,id=1a,size=1G"),
    *(
        "-object memory-backend-ram,id=a,size=0",
        "-object memory-backend-ram,id=a,size=5X",
        "-object memory-backend-ram,id=m,size",
    ),
    *("-object memory-backend-ram,id=a,size=1G,foo=bar", "-object memory-backend-ram,id=a,size=1G,hugetlb=on"),
    *("-object memory-backend-ram,id=a,size=1G,share=1", "-object memory-backend-ram,id=a,size=1G,reserve=maybe"),
    *(
        "-object memory-backend-file,id=a,size=1G",
        "-object memory-backend-memfd,id=a,size=1G,hugetlb=on,hugetlbsize=3M",
    ),
    "-object memory-backend-memfd,id=a,size=1G,hugetlbsize=0",
    f"{VM} -object memory-backend-ram,id=m,size=1G",
    *(
        '-object {"qom-type":"memory-backend-ram","id":"a"}',
        '-object {"qom-type":"memory-backend-ram","size":1}',
        "-object {}",
    ),
    *('-object {"qom-type":"memory-backend-ram","id":"a","size":"1G"}', '-object {"qom-type":5}'),
    *(
        '-object {"qom-type":"memory-backend-ram","id":"a","size":1,"foo":1}',
        '-object {"qom-type":"memory-backend-ram","id":5}',
    ),
    *('-object {"qom-type":"memory-backend-ram","id":"a","size":1,"share":"on"}',),
    '-object {"qom-type":"memory-backend-ram","id":"1a","size":1048576}',
    *(f"{VMEM},requested-size={value}" for value in ("1M", "x", "-1", "16E", "1.5", "")),
    *(f"{VMEM},block-size={value}" for value in ("3M", "512K", "0", "x", "")),
    *(f"{VMEM},node={value}" for value in ("1", "x", "-1", "4294967296", "")),
    *(f"{VMEM},memaddr={value}" for value in ("x", "4G", "-1", "0x140100000", "0x100000000", "99999999999999999999")),
    *(f"{VMEM},dynamic-memslots={value}" for value in ("maybe", "on,unplugged-inaccessible=off")),
    *(
        f"{VMEM},{value}"
        for value in ("unplugged-inaccessible=maybe", "max-memslots=4", "memslots=4", "foo=4", "memdev=n")
    ),
    *(f"{VMEM},{value}" for value in ("prealloc=maybe", "memdev=", "memdev=m,,x", "requested_size=1G")),
    *(f"{VM} -device virtio-mem-pci,{value}" for value in ("id=v", "id=,memdev=m", "id=1v,memdev=m")),
    f"{VMEM} -device virtio-mem-pci,id=w,memdev=m",
    f"{VMEM} -object memory-backend-ram,id=n,size=4G -device virtio-mem-pci,id=v,memdev=n",
    "-m 4G -object memory-backend-ram,id=m,size=1G -device virtio-mem-pci,id=v,memdev=m",
    "-m 4G,maxmem=8G -object memory-backend-ram,id=m,size=5G -device virtio-mem-pci,id=v,memdev=m",
    *(f'{JSON},"requested-size":{value}}}' for value in ('"1G"', "1.5", "true", "null", "-1", "99999999999999999999")),
    *(f'{JSON},"node":{value}}}' for value in ('"0"', "true", "4294967296")),
    *(f'{JSON},"dynamic-memslots":{value}}}' for value in ('"on"', "1", "null")),
    *(f'{JSON},"unplugged-inaccessible":{value}}}' for value in ("true", '"maybe"')),
    *(f"{JSON},{value}}}" for value in ('"memdev":5', '"memdev":""', '"foo":1', '"block-size":3145728')),
    *(f'-device {{"driver":"virtio-mem-pci","memdev":{value}}}' for value in ("5", '""')),
    *('-device {"driver":5}', '-device {"id":"v"}', "-device id=v"),
    *(
        f"{VM} -device pc-dimm,id=d,memdev=m,{value}"
        for value in ("slot=2", "slot=-2", "slot=x", "slot=99999999999", "foo=1")
    ),
    *(f"{VM} -device pc-dimm,{value}" for value in ("id=d", "memdev=q", "memdev=m -device pc-dimm,memdev=m")),
    *(f"{VM} -device virtio-pmem-pci,{value}" for value in ("id=p", "memdev=m,foo=1", "memdev=m,memaddr=0x140000001")),
)
"""Wrong command lines; the words of a QEMU 10 for each are what `test_refusals_against_qemu` compares."""


def refused(line: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        Machine.from_qemu_args(["-accel", "tcg", *line.split()], rules="qemu-10.0")
    return caught.value


@pytest.mark.parametrize("line", REFUSED)
def test_refused(line: str) -> None:
    """Every wrong line is refused, with advice in one line."""
    refusal = refused(line)
    assert refusal.advice
    assert "\n" not in refusal.advice
    assert refusal.message in refusal.stderr


@pytest.mark.qemu
@pytest.mark.parametrize("line", REFUSED)
def test_refusals_against_qemu(line: str, ask_qemu: Callable[..., tuple[str, str]]) -> None:
    """A real QEMU prints exactly what the refusal says, warnings and places included."""
    _, complaint = ask_qemu(line.split())
    assert refused(line).stderr == complaint


def test_beyond_the_device() -> None:
    """A requested size beyond the device is accepted at the start and refused at run time (measured)."""
    vm = Machine.from_qemu_args(f"{VMEM},requested-size=5G")
    with pytest.raises(Refusal, match=r"'requested-size' cannot exceed the memory backend size\(0x100000000\)"):
        vm.request_size("v", 6 * GiB)


def test_what_is_refused_in_its_place() -> None:
    """An unknown property is refused when its device is made: a device before it that does not fit is refused first."""
    line = (
        "-accel tcg -m 1G,maxmem=3G "
        "-object memory-backend-ram,id=a,size=512M -object memory-backend-ram,id=b,size=512M "
        "-device pc-dimm,memdev=a -device virtio-mem-pci,memdev=b,requested_size=0"
    )
    with pytest.raises(Refusal, match="no slots where allocated"):
        Machine.from_qemu_args(line)
    played = Recording(qemu_version="10.0.2", accel="tcg", argv=("qemu", *line.split()), steps=(Step(action=Start()),))
    (step,) = predicted(played).steps
    assert step.observation is not None
    assert "no slots where allocated" in str(step.observation.error)
    with pytest.raises(Refusal, match="requested_size' not found"):
        Machine.from_qemu_args(line.replace("maxmem=3G", "maxmem=3G,slots=1"))


# -- the way back -----------------------------------------------------------------------------------------------------


@given(scenarios())
def test_round_trip(scenario: Scenario) -> None:
    """What is written reads back to the same scenario, as a list and as a shell line."""
    argv = write_argv(scenario)
    shown = scenario.display and all(one.driver != "VGA" for one in scenario.fixtures)
    read = replace(scenario, fixtures=(*scenario.fixtures, PciDevice(driver="VGA"))) if shown else scenario
    if scenario.accel != "kvm":
        # nothing is the host's there
        bits, vendor = scenario.phys_bits or 52, scenario.cpu_vendor or "intel"
        read = replace(read, phys_bits=bits, cpu_vendor=vendor)
    assert read_argv(argv) == read
    assert read_argv(shlex.join(argv)) == read


def test_unknown_cpu_without_kvm() -> None:
    """What a tcg VM does not say of its CPU is written so that nothing moves or is refused."""
    scenario = Scenario(accel="tcg", cpu_vendor="amd")
    assert read_argv(write_argv(scenario)) == replace(scenario, phys_bits=52)


@pytest.mark.qemu
@pytest.mark.parametrize("dynamic", [True, False])
def test_written_lines_start(dynamic: bool, ask_qemu: Callable[..., tuple[str, str]]) -> None:
    """A real QEMU takes what is written and has the same device memory."""
    scenario = read_argv(f"{VMEM},requested-size=1G,dynamic-memslots={'on' if dynamic else 'off'} -nodefaults -M q35")
    program, _, _, *arguments = write_argv(scenario)
    assert program == "qemu-system-x86_64"
    shown, complaint = ask_qemu(arguments, "info mtree")
    assert complaint == ""
    for line in Machine(scenario).info_mtree().splitlines():
        assert line in shown.splitlines()
