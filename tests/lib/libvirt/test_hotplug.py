"""Device elements read as what is hot-plugged into a VM that runs."""

import pytest
from libvirt_domains import KUBEVIRT, ROOM, domain, virtio_mem

from workbook.lib import Machine
from workbook.lib.errors import BadInput, Refusal
from workbook.lib.libvirt import read_attached
from workbook.lib.size import GiB, MiB

DIMM = "<memory model='dimm'><target><size unit='GiB'>1</size><node>0</node></target></memory>"
VIRTIOFS = "<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/><target dir='tag'/></filesystem>"


def attach(machine: Machine, text: str) -> list[str]:
    """Hot-plug what the XML says; return the ids."""
    return list(machine.attach_device(text))


def test_memory_is_made_as_the_vm_s_own() -> None:
    """A second virtio-mem device gets the next name, and memory that back ends can map, as the VM has it."""
    machine = Machine.from_libvirt(KUBEVIRT)
    target = "<size unit='GiB'>2</size><node>0</node><requested unit='GiB'>1</requested>"
    (one,) = read_attached(virtio_mem(target), machine.scenario)
    assert (one.driver, one.id) == ("virtio-mem-pci", "virtiomem0")
    assert one.object == {
        "qom-type": "memory-backend-memfd",
        "id": "memvirtiomem0",
        "share": True,
        "reserve": False,
        "size": 2 * GiB,
    }
    assert one.props == {
        "node": 0,
        "block-size": 2 * MiB,
        "requested-size": GiB,
        "memdev": "memvirtiomem0",
    }
    assert attach(machine, virtio_mem(target)) == ["virtiomem0"]
    assert [one["data"]["id"] for one in machine.query_memory_devices()] == ["ua-hotplug", "virtiomem0"]


def test_dimms_take_the_next_slot() -> None:
    """DIMMs are named by their slots, behind those that are there."""
    machine = Machine.from_libvirt(domain(DIMM, head=ROOM, cells="<cell id='0' memory='4' unit='GiB'/>"))
    assert attach(machine, DIMM) == ["dimm1"]
    assert [one["data"]["slot"] for one in machine.query_memory_devices()] == [0, 1]


def test_back_ends_count() -> None:
    """A file system that is hot-plugged is a vhost device more."""
    machine = Machine.from_libvirt(KUBEVIRT)
    before = len(machine.vhosts)
    assert attach(machine, VIRTIOFS) == ["fs0"]
    assert len(machine.vhosts) == before + 1


def test_network_cards_bring_their_back_end() -> None:
    """An interface is a netdev and a card."""
    machine = Machine.from_libvirt(KUBEVIRT)
    (one,) = read_attached("<interface type='network'><model type='virtio'/></interface>", machine.scenario)
    assert (one.driver, one.id) == ("virtio-net-pci", "net0")
    assert one.netdev is not None
    assert (one.netdev["type"], one.netdev["vhost"]) == ("tap", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (VIRTIOFS, "unsupported configuration: 'virtiofs' requires shared memory"),
        (
            DIMM.replace("<node>0", "<node>1"),
            "can't add memory backend for guest node '1' as the guest has only '1' NUMA nodes configured",
        ),
        (
            "<memory model='sgx-epc'><target><size unit='MiB'>2</size></target></memory>",
            "unsupported configuration: hotplug is not supported for the sgx-epc device",
        ),
    ],
)
def test_libvirt_refuses(text: str, words: str) -> None:
    """What libvirt refuses to attach has its words."""
    machine = Machine.from_libvirt(domain(head=ROOM, cells="<cell id='0' memory='8' unit='GiB'/>"))
    with pytest.raises(Refusal) as caught:
        read_attached(text, machine.scenario)
    assert (caught.value.message, caught.value.who) == (words, "libvirt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (KUBEVIRT, "a whole <domain>"),
        ("<input type='mouse'/>", "no device that takes memory"),
        ("<disk type='file'><target dev='vda' bus='virtio'/></disk>", "no device that takes memory"),
    ],
)
def test_other_xml(text: str, words: str) -> None:
    """What cannot be hot-plugged, or takes nothing, is one clear line."""
    with pytest.raises(BadInput, match=words):
        read_attached(text, Machine.from_libvirt(KUBEVIRT).scenario)


def test_one_after_the_other() -> None:
    """A second device of a kind gets the next name, and a network back end with vhost is a vhost device more."""
    machine = Machine.from_libvirt(KUBEVIRT)
    before = len(machine.vhosts)
    assert (attach(machine, VIRTIOFS), attach(machine, VIRTIOFS)) == (["fs0"], ["fs1"])
    card = "<interface type='vhostuser'><source type='unix' path='/v' mode='client'/><model type='virtio'/></interface>"
    attach(machine, card)
    assert len(machine.vhosts) == before + 3
