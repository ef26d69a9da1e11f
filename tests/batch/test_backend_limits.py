"""Limits of vhost back ends for a whole fleet: by id, driver, kind, or for all."""

import pytest

from workbook.batch import check_rows
from workbook.batch.backend_limits import EVERY, limits_by_id
from workbook.cli.check import main
from workbook.lib import Host, Machine
from workbook.lib.errors import BadInput
from workbook.lib.scenario import VhostDevice

DEVICES = (
    VhostDevice(id="fs0"),
    VhostDevice(id="fs1"),
    VhostDevice(id="b0", driver="vhost-user-blk-pci-non-transitional"),
    VhostDevice(id="net0", driver="netdev vhost-user"),
    VhostDevice(id="tap0", driver="netdev tap", kernel=True),
    VhostDevice(id=None),
)
LINE = (
    "qemu-system-x86_64 -accel kvm -m 4G,maxmem=104G -object memory-backend-memfd,id=mem0,size=100G,share=on {} "
    "-device virtio-mem-pci,id=vm0,memdev=mem0,dynamic-memslots=on"
)
FS = "-chardev socket,id=c0,path=x -device vhost-user-fs-pci,id={},chardev=c0,tag=t"
TAP = "-netdev tap,id=n0,vhost=on -device virtio-net-pci,netdev=n0"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"fs0": 32}, {"fs0": 32}),
        ({"fs": "virtiofsd-1.11"}, {"fs0": 509, "fs1": 509}),
        ({"fs": "virtiofsd-1.9", "fs1": 8}, {"fs0": 32, "fs1": 8}),
        ({"vhost-user-fs-pci": 64}, {"fs0": 64, "fs1": 64}),
        ({"net": "dpdk", "blk": "spdk"}, {"net0": None, "b0": None}),
        ({EVERY: 509, "blk": 16}, {"fs0": 509, "fs1": 509, "b0": 16, "net0": 509}),
        ({"netdev tap": 128}, {"tap0": 128}),
        ({"rng": 1}, {}),
    ],
)
def test_the_most_precise_name_counts(given: dict[str, int | str | None], found: dict[str, int | None]) -> None:
    """An id before a driver before a kind before all; kinds and all mean vhost-user alone."""
    assert limits_by_id(given, DEVICES) == found


def test_one_option_for_a_fleet() -> None:
    """VMs without such a device are as they were; ids may differ."""
    texts = [LINE.format(FS.format(name)) for name in ("fs0", "shared")] + [LINE.format("")]
    rows = list(check_rows(texts, vhost_slots={"fs": "virtiofsd-1.11"}, workers=1))
    assert [row["memslots"] and row["memslots"]["binds"] for row in rows] == [
        "fs0 (509 memslots)",
        "shared (509 memslots)",
        "KVM (32,764 memslots)",
    ]
    assert {row["verdict"] for row in rows} == {"starts"}


def test_a_program_that_is_not_known_is_an_error_of_the_call() -> None:
    """It is not one unreadable row for each VM."""
    with pytest.raises(BadInput, match="back end 'samba' is not known"):
        check_rows([LINE.format("")], vhost_slots={"fs": "samba"})
    assert main([LINE.format(""), "--vhost-slots", "fs=samba"]) == 2


def test_vhost_in_the_kernel_has_the_limit_of_the_host() -> None:
    """``max_mem_regions`` of the host's vhost module; 64 where it is not known."""
    for host, limit in ((None, 64), (Host(max_mem_regions=509), 509)):
        vm = Machine.from_text(LINE.format(TAP), host=host)
        (tap,) = [one for one in vm.picture.consumers if one.name == "n0"]
        assert tap.limit == limit


def test_the_host_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """``--max-mem-regions`` raises what binds a VM whose network card has vhost in the kernel."""
    for options, binds in (([], "n0 (64 memslots)"), (["--max-mem-regions", "509"], "n0 (509 memslots)")):
        assert main([LINE.format(TAP), *options]) == 0
        assert f"in {binds}" in capsys.readouterr().out
