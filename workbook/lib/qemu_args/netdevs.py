"""Network: back ends with vhost, and the cards that ``-nic``, ``-net`` or nothing at all make.

Sources: net/net.c, net/tap.c, net/vhost-user.c, net/vhost-vdpa.c, qapi/net.json, hw/i386/pc*.c (QEMU 10.0).
"""

from typing import Final

from workbook.lib.scenario import PciDevice, VhostDevice

from .device_lists import FIXTURE_PROPERTIES
from .devices import VDPA_LIMIT
from .properties import Properties

__all__ = ("DEFAULT_CARD", "check_netdev", "network_card", "vhost_netdev")

DEFAULT_CARD: Final = {"pc": "e1000", "q35": "e1000e"}
"""The card of a VM that names none (``default_nic`` of the machine classes)."""
_TYPES: Final = frozenset(
    "none nic user tap l2tpv3 socket stream dgram vde bridge hubport netmap af-xdp vhost-user vhost-vdpa passt "
    "vmnet-host vmnet-shared vmnet-bridged".split()
)
_CARDS: Final = {"virtio": "virtio-net-pci", "rtl8139": "rtl8139", "ne2k_isa": "ne2k_isa"}


def check_netdev(props: Properties) -> None:
    """Check the type of a network back end, and that it has an id.

    Raises
    ------
    Refusal
        With the words of QEMU's visitors.
    """
    kind = props.values.get("type")
    if kind is None:
        raise props.refusal("Parameter 'type' is missing", "write -netdev user,id=...")
    if kind not in _TYPES:
        raise props.refusal(f"Parameter 'type' does not accept value '{kind}'", "-netdev help lists what there is")
    if props.values.get("id") is None:
        raise props.refusal("Parameter 'id' is missing", "give the back end an id")


def vhost_netdev(props: Properties, slots: int | None) -> VhostDevice | None:
    """Return the vhost device of a network back end; None where it has none."""
    kind, name = str(props.values.get("type")), props.values.get("id")
    name = str(name) if name is not None else None
    if kind == "vhost-user" or (kind == "passt" and props.values.get("vhost-user") in ("on", True)):
        return VhostDevice(id=name, driver=f"netdev {kind}", slots=slots)
    if kind == "vhost-vdpa":
        return VhostDevice(
            id=name, driver="netdev vhost-vdpa", slots=VDPA_LIMIT if slots is None else slots, kernel=True
        )
    if kind == "tap" and _tap_has_vhost(props):
        return VhostDevice(id=name, driver="netdev tap", slots=slots, kernel=True)
    return None


def _tap_has_vhost(props: Properties) -> bool:
    """Return whether a tap uses vhost (``net_init_tap_one``): vhost= decides, else a descriptor or vhostforce=on."""
    if "vhost" in props:
        return props.flag("vhost")
    return "vhostfd" in props or "vhostfds" in props or props.flag("vhostforce")


def network_card(props: Properties, chipset: str) -> PciDevice | None:
    """Return the card of a ``-nic`` or ``-net nic``; None for a card without ROM, or for none."""
    if props.values.get("type") == "none":
        return None
    model = props.values.get("model")
    driver = DEFAULT_CARD[chipset] if model is None else _CARDS.get(str(model), str(model))
    if driver == "ne2k_isa":
        return None
    kept = tuple((key, str(value)) for key, value in sorted(props.values.items()) if key in FIXTURE_PROPERTIES)
    return PciDevice(driver=driver, props=kept)
