"""VMs that differ in nothing but names are checked once, and their rows are those of each by itself."""

import pytest
from hypothesis import given, settings, strategies as st

from workbook.batch import CheckRow, Question, VmText, check_vm, shapes
from workbook.batch.engines import engine_of
from workbook.batch.made_up_fleet import made_up_fleet, made_up_vm
from workbook.batch.shapes import Shape, rows_of

LINE = (
    "qemu-system-x86_64 -name guest={name},debug-threads=on -uuid 00000000-0000-0000-0000-{number:012} -accel kvm "
    "-m 4G,maxmem=104G -netdev tap,id=n0 -device virtio-net-pci,netdev=n0,mac=52:54:00:00:00:{low:02x} "
    "-object memory-backend-ram,id=mem0,size={size}G -device virtio-mem-pci,id={id},memdev=mem0"
)


def command_line(number: int, **given: object) -> str:
    """Return a command line with names of its own."""
    values = {"name": f"vm-{number}", "number": number, "low": number % 256, "size": 16, "id": "vm0", **given}
    return LINE.format(**values)


def in_shapes(texts: list[str], workers: int = 1) -> list[CheckRow]:
    """Check texts by shape."""
    return list(rows_of([VmText(f"{n}", one) for n, one in enumerate(texts)], Question(), engine_of(None, workers)))


def one_by_one(texts: list[str]) -> list[CheckRow]:
    """Check each by itself."""
    return [check_vm(VmText(f"{number}", one), Question()) for number, one in enumerate(texts)]


def test_names_make_no_shape() -> None:
    """Name, UUID, MAC address, image and libvirt's running number are left out; sizes and devices are not."""
    fleet = list(made_up_fleet(1000))
    assert len({Shape.of(text).digest for _, text in fleet}) < 300
    assert len({text for _, text in fleet}) == 1000
    assert len({Shape.of(command_line(number)).digest for number in range(10)}) == 1
    assert Shape.of(command_line(1)).digest != Shape.of(command_line(1, size=17)).digest
    assert Shape.of(command_line(1)).digest != Shape.of(command_line(1, id="vm1")).digest
    name, text = next(one for one in fleet if one[1].startswith("<domain"))
    assert Shape.of(text).names[0] == name


def test_a_machine_type_is_no_name() -> None:
    """A VM that is called as something that is read is told from others all the same."""
    xml = (
        "<domain type='kvm'><name>{}</name><memory unit='GiB'>2</memory><os><type machine='{}'>hvm</type></os></domain>"
    )
    assert Shape.of(xml.format("q35", "q35")).digest != Shape.of(xml.format("pc", "pc")).digest


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(("fleet", "line", "refused", "named", "odd"))), max_size=12)
)
def test_rows_are_those_of_each_by_itself(vms: list[tuple[int, str]]) -> None:
    """Whatever repeats in whatever order, and whether or not a name occurs in a message."""
    texts = [
        {
            "fleet": made_up_vm(number).text,
            "line": command_line(number),
            "refused": command_line(number, size=200),
            "named": command_line(number, name="vm0"),
            "odd": "hello",
        }[kind]
        for number, kind in vms
    ]
    assert in_shapes(texts) == one_by_one(texts)


def test_each_shape_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred VMs of two shapes are two checks."""
    checked: list[VmText] = []

    def check(vm: VmText, question: Question) -> CheckRow:
        checked.append(vm)
        return check_vm(vm, question)

    monkeypatch.setattr(shapes, "check_vm", check)
    found = in_shapes([command_line(number, size=16 + number % 2) for number in range(100)])
    assert (len(checked), [one["source"] for one in found]) == (2, [f"{number}" for number in range(100)])


def test_a_name_that_is_printed_belongs_to_one_vm() -> None:
    """Where a message has the VM's name in it, no other VM gets that message."""
    texts = [command_line(number, name=f"mem{number}", size=200, id=f"mem{number}") for number in range(2)]
    found = in_shapes([texts[0], texts[0].replace("guest=mem0", "guest=other"), texts[1]])
    assert found == one_by_one([texts[0], texts[0].replace("guest=mem0", "guest=other"), texts[1]])


def test_a_fleet_checked_by_shape() -> None:
    """The rows of a made-up fleet are those of each VM by itself."""
    texts = [text for _, text in made_up_fleet(150, seed=3)]
    assert in_shapes(texts) == one_by_one(texts)
