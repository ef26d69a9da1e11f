"""Pasted text: every form is recognised, named, and read to the same machine."""

import json

import pytest

from workbook.lib import Machine
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.size import GiB

WORDS = ["qemu-system-x86_64", "-accel", "kvm", "-machine", "q35", "-nodefaults", "-m", "4G,maxmem=20G"]
WORDS += ["-object", '{"qom-type":"memory-backend-ram","id":"m","size":1073741824}']
WORDS += ["-device", '{"driver":"virtio-mem-pci","id":"v","memdev":"m"}']
PS = " ".join(["qemu      1234     1 12 10:00 ?        00:01:02 /usr/bin/qemu-system-x86_64", *WORDS[1:]])


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        (" ".join(WORDS), "a QEMU command line"),
        (PS, "a line of ps"),
        ("UID PID PPID C STIME TTY TIME CMD\n" + PS, "a line of ps"),
        ("\0".join(WORDS) + "\0", "a /proc/PID/cmdline"),
        (json.dumps(WORDS), "the words of a command line as JSON"),
    ],
)
def test_one_vm_in_every_form(text: str, read_as: str) -> None:
    """A command line is the same machine in every form in which people have it, and the form is named."""
    vm = Machine.from_text(text, rules="qemu-10.0")
    assert vm.read_as == read_as
    assert vm.scenario == Machine.from_qemu_args(WORDS, rules="qemu-10.0").scenario


@pytest.mark.parametrize(
    "text",
    [
        "(qemu) object_add memory-backend-ram,id=m,size=1G\n(qemu) device_add virtio-mem-pci,id=v,memdev=m",
        (
            '{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"m","size":1073741824}}'
            '{"execute":"device_add","arguments":{"driver":"virtio-mem-pci","id":"v","memdev":"m"}}'
        ),
    ],
)
def test_commands_of_a_monitor(text: str) -> None:
    """Commands are played on a VM that is assumed and named in a note."""
    vm = Machine.from_text(text)
    assert [one["data"]["max-size"] for one in vm.query_memory_devices()] == [GiB]
    assert any(one.kind == "assumed" and "no VM is given" in one.text for one in vm.notes)


def test_configuration_file() -> None:
    """The content of a configuration file is one form; a line that names a file needs its content."""
    content = '[machine]\n  type = "q35"\n[memory]\n  size = "3G"\n  slots = "4"\n  maxmem = "8G"\n'
    assert Machine.from_text(content).scenario.ram == 3 * GiB
    vm = Machine.from_qemu_args("-readconfig vm.conf", files={"vm.conf": content})
    assert (vm.scenario.chipset, vm.scenario.maxmem) == ("q35", 8 * GiB)
    with pytest.raises(BadInput, match=r"-readconfig vm\.conf"):
        Machine.from_qemu_args("-readconfig vm.conf")


@pytest.mark.parametrize("text", ["", "hello", "{", "a: &b [*b]\nkind: x", "\0"])
def test_nothing_of_all_this(text: str) -> None:
    """What is not recognised is one clear line."""
    with pytest.raises(BadInput) as caught:
        Machine.from_text(text)
    assert "\n" not in str(caught.value)


def test_distribution_implies_the_qemu() -> None:
    """A machine type of a distribution is read under the QEMU that it ships, else the newest that has it."""
    assert Machine.from_text("qemu-system-x86_64 -M pc-q35-noble -m 2G").rules.name == "qemu-8.2"
    assert Machine.from_text("qemu-system-x86_64 -M pc-q35-4.2 -m 2G").scenario.machine_version == (4, 2)


VM_LINE = "qemu-system-x86_64 -machine q35,accel=kvm -m 2G"


@pytest.mark.parametrize(
    ("text", "others"),
    [
        (f"sudo {VM_LINE} > /tmp/log 2>&1 &", 0),
        (f"$ {VM_LINE} && echo started", 0),
        (f"# {VM_LINE}\n", 0),
        (f"[root@host ~]# {VM_LINE}; reset", 0),
        ("modprobe kvm\nRAM=2G\nqemu-system-x86_64 \\\n  -machine q35,accel=kvm \\\n  -m $RAM\nreset", 0),
        ("OPTS='-machine q35,accel=kvm'\nOPTS+=' -m 2G'\nqemu-system-x86_64 $OPTS -name \"the vm\"", 0),
        ('args=(\n -machine q35,accel=kvm  # fast\n -m 2G\n)\nqemu-system-x86_64 "${args[@]}"', 0),
        ("> qemu-system-x86_64 -machine q35,accel=kvm \\\n>   -m 2G", 0),
        ("```sh\nqemu-system-x86_64 \\\n  -machine q35,accel=kvm \\\n  -m 2G\n```\nand then it hangs", 0),
        ("qemu-system-x86_64\n-machine\nq35,accel=kvm\n-m\n2G\n-append\nroot=/dev/vda", 0),
        (f"{VM_LINE}\nqemu-system-x86_64 -m 8G", 1),
        ('"qemu-system-x86_64", "-machine", "q35,accel=kvm", "-m", "2G",', 0),
        ("['qemu-system-x86_64', '-machine', 'q35,accel=kvm', '-m', '2G']", 0),
        (f"  CGroup: /machine.slice\n          └─2411 /usr/bin/{VM_LINE} -name guest=it's", 0),
        ('msg="launching /opt/kata/bin/qemu-system-x86_64 with: [-machine q35,accel=kvm -m 2G]" name=kata', 0),
    ],
)
def test_one_vm_as_people_paste_it(text: str, others: int) -> None:
    """Prompts, scripts with variables, logs, mail and process trees are read to the VM's command; other commands are
    named.
    """
    vm = Machine.from_text(text, rules="qemu-10.0")
    assert (vm.scenario.chipset, vm.scenario.accel, vm.scenario.ram) == ("q35", "kvm", 2 * GiB)
    assert sum("another command" in one.text for one in vm.notes) == others
    assert not any("disk image" in one.text for one in vm.notes if "append" not in text)


def test_proxmox() -> None:
    """Proxmox' own option is passed over by name, and the file that its q35 VMs read is known."""
    line = (
        "/usr/bin/kvm -id 100 -nodefaults -m 2048 -readconfig /usr/share/qemu-server/pve-q35-4.0.cfg "
        "-device 'usb-tablet,id=tablet,bus=ehci.0,port=1' -device 'VGA,id=vga,bus=pcie.0,addr=0x1' "
        "-device 'virtio-balloon-pci,id=balloon0,bus=pci.0,addr=0x3' -machine 'type=q35+pve1'"
    )
    vm = Machine.from_text(line)
    assert (vm.scenario.chipset, vm.scenario.accel, vm.kvm_used) == ("q35", "kvm", (9,))
    assert any("Proxmox' QEMU" in one.text and one.where == "-id" for one in vm.notes)
    with pytest.raises(Refusal, match="invalid option"):
        Machine.from_qemu_args("qemu-system-x86_64 -id 100 -m 2G")
