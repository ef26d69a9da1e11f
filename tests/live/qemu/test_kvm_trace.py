"""Reading QEMU's trace of KVM's memslot ioctls."""

from pathlib import Path

from workbook.lib.recording.format import KvmMemslots
from workbook.live.qemu.kvm_trace import KvmTrace

NEW = (
    "kvm_set_user_memory AddrSpace#{} Slot#{} flags=0x0 gpa={:#x} size={:#x} ua=0x7f0000000000"
    " guest_memfd=-1 guest_memfd_offset=0x0 ret={}\n"
)
OLD = "kvm_set_user_memory Slot#{} flags=0x0 gpa={:#x} size={:#x} ua=0x7f0000000000 ret={}\n"


def test_ioctls_and_live_memslots(tmp_path: Path) -> None:
    """Every ioctl counts once, a size of 0 deletes a memslot, a failed one changes none; address spaces are apart."""
    path = tmp_path / "trace"
    trace = KvmTrace(path)
    assert trace.snapshot(0, 1) == KvmMemslots(ioctls={}, live={}, live_device_memory={})
    path.write_text(
        NEW.format(0, 0, 0x0, 0x1000, 0) + NEW.format(0, 1, 0x10000, 0x1000, 0) + NEW.format(1, 0, 0x0, 0x1000, 0)
    )
    assert trace.snapshot(0x10000, 0x20000) == KvmMemslots(
        ioctls={"0": 2, "1": 1}, live={"0": 2, "1": 1}, live_device_memory={"0": 1}
    )
    with path.open("a") as file:
        file.write(NEW.format(0, 1, 0x10000, 0, 0) + NEW.format(0, 2, 0x11000, 0x1000, -12) + "something else\n")
    assert trace.snapshot(0x10000, 0x20000) == KvmMemslots(
        ioctls={"0": 2}, live={"0": 1, "1": 1}, live_device_memory={}
    )


def test_memslots_in_a_range(tmp_path: Path) -> None:
    """Memslots that start in the range are told with their sizes, ascending, of the first address space alone."""
    path = tmp_path / "trace"
    lines = [(0, 1, 0x3000, 0x2000), (0, 2, 0x1000, 0x1000), (1, 1, 0x1000, 0x1000), (0, 3, 0x9000, 0x1000)]
    path.write_text("".join(NEW.format(*line, 0) for line in lines))
    assert KvmTrace(path).memslots(0x1000, 0x9000) == ((0x1000, 0x1000), (0x3000, 0x2000))


def test_half_a_line_waits(tmp_path: Path) -> None:
    """A line that QEMU has not finished writing is read with the next snapshot."""
    path = tmp_path / "trace"
    trace = KvmTrace(path)
    line = NEW.format(0, 0, 0x0, 0x1000, 0)
    path.write_text(line[:50])
    assert trace.snapshot(0, 1).ioctls == {}
    path.write_text(line)
    assert trace.snapshot(0, 1).ioctls == {"0": 1}


def test_older_format(tmp_path: Path) -> None:
    """Before QEMU 9.0 the address space is in the upper half of the slot number."""
    path = tmp_path / "trace"
    path.write_text(OLD.format(1 << 16 | 3, 0x0, 0x1000, 0))
    assert KvmTrace(path).snapshot(0, 1).live == {"1": 1}
