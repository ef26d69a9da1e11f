"""PCI addresses: who has which slot and function of a bus, and what QEMU says where one is taken.

Source: ``do_pci_register_device`` and ``pci_init_multifunction`` (hw/pci/pci.c), hw/pci/pcie_port.c,
hw/pci/slotid_cap.c, hw/i386/pc_q35.c and hw/i386/pc_piix.c (QEMU 10.0); compared with a QEMU 10.0.2.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from .properties import Properties

__all__ = ("PCI_ADDRESS", "PciAddresses")

PCI_ADDRESS: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,8})(?:\.(?:0[xX])?([0-9a-fA-F]{1,8}))?")
_SLOTS, _FUNCTIONS = 32, 8
_PORTS: Final = frozenset("pcie-root-port ioh3420 xio3130-downstream".split())
_CHASSIS_BRIDGES: Final = frozenset(("pci-bridge", "pci-bridge-seat"))
_Chipset = Literal["q35", "pc"]


@dataclass(frozen=True, slots=True)
class _Function:
    """A device at an address, as QEMU names it."""

    driver: str
    name: str | None = None
    multifunction: bool = True


def _board_functions(
    chipset: _Chipset, *, usb: bool, acpi: bool, sata: bool, smbus: bool
) -> dict[tuple[int, int], str]:
    """Return what the board itself puts on its root bus, by slot and function."""
    if chipset == "q35":
        found = {(0, 0): "mch", (31, 0): "ICH9-LPC"}
        found |= {(31, 2): "ich9-ahci"} if sata else {}
        found |= {(31, 3): "ICH9-SMB"} if smbus else {}
        if usb:
            found |= {(29, one): f"ich9-usb-uhci{one + 1}" for one in range(3)} | {(29, 7): "ich9-usb-ehci1"}
        return found
    found = {(0, 0): "i440FX", (1, 0): "PIIX3", (1, 1): "piix3-ide"}
    found |= {(1, 2): "piix3-usb-uhci"} if usb else {}
    return found | ({(1, 3): "PIIX4_PM"} if acpi else {})


@dataclass
class PciAddresses:
    """The buses of a board while devices are put on them.

    Attributes
    ----------
    buses
        Functions by slot and number, by the name of the bus.
    """

    root: str
    buses: dict[str, dict[tuple[int, int], _Function]] = field(default_factory=dict)
    _ports: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def of_board(
        cls,
        chipset: _Chipset,
        *,
        usb: bool = False,
        acpi: bool = True,
        sata: bool = True,
        smbus: bool = True,
        own: Iterable[str] = (),
    ) -> "PciAddresses":
        """Return the addresses of a board without devices.

        Parameters
        ----------
        usb, acpi, sata, smbus
            Machine properties that add or take away a function of the chipset.
        own
            Drivers of the display and the cards that the board makes, in order.
        """
        root = "pcie.0" if chipset == "q35" else "pci.0"
        functions = _board_functions(chipset, usb=usb, acpi=acpi, sata=sata, smbus=smbus)
        made = cls(root, {root: {place: _Function(driver) for place, driver in functions.items()}})
        for driver in own:
            made.put(Properties({"driver": driver}), driver)
        return made

    def put(self, props: Properties, driver: str) -> None:
        """Put a PCI device on its bus, at its ``addr=`` or in the first slot that is free.

        Raises
        ------
        Refusal
            The address is taken, a slot mixes single-function and multifunction devices, or a port has the number of
            another one.
        """
        bus = props.values.get("bus")
        functions = self.buses.setdefault(self.root if not isinstance(bus, str) else bus.rpartition("/")[2], {})
        place = _address(props.values.get("addr")) or self._free(functions, props, driver)
        name = props.values.get("id")
        made = _Function(driver, name if isinstance(name, str) else None, props.flag("multifunction"))
        self._check(functions, place, made, props)
        self._check_port(props, driver)
        functions[place] = made

    @staticmethod
    def _free(functions: dict[tuple[int, int], _Function], props: Properties, driver: str) -> tuple[int, int]:
        for slot in range(_SLOTS):
            if (slot, 0) not in functions:
                return slot, 0
        raise props.refusal(
            f"PCI: no slot/function available for {driver}, all in use or reserved", "put devices behind a bridge"
        )

    @staticmethod
    def _check(
        functions: dict[tuple[int, int], _Function], place: tuple[int, int], made: _Function, props: Properties
    ) -> None:
        slot, function = place
        taken = functions.get(place)
        if taken is not None:
            raise props.refusal(
                f"PCI: slot {slot} function {function} not available for {made.driver}, in use by {taken.driver},"
                f"id={taken.name or '(null)'}",
                "give it another addr=, or leave addr= out",
            )
        first = functions.get((slot, 0))
        if function and first is not None and not first.multifunction:
            raise props.refusal(
                f"PCI: single function device can't be populated in function {slot:x}.{function:x}",
                f"give function 0 of slot {slot:#x} multifunction=on",
            )
        others = [one for one in range(1, _FUNCTIONS) if (slot, one) in functions]
        if not function and not made.multifunction and others:
            raise props.refusal(
                f"PCI: {slot:x}.0 indicates single function, but {slot:x}.{others[0]:x} is already populated.",
                "give it multifunction=on",
            )

    def _check_port(self, props: Properties, driver: str) -> None:
        if driver in _PORTS:
            number = props.number("chassis", bits=8), props.number("slot", bits=16)
            if number in self._ports:
                raise props.refusal("Can't add chassis slot, error -16", "give every port its own chassis= or slot=")
            self._ports.add(number)
        elif driver in _CHASSIS_BRIDGES and not props.number("chassis_nr", bits=8):
            raise props.refusal(
                "Bridge chassis not specified. Each bridge is required to be assigned a unique chassis id > 0.",
                "give it chassis_nr=",
            )


def _address(value: object) -> tuple[int, int] | None:
    """Read ``addr=``, whose spelling was checked; None where QEMU chooses."""
    if isinstance(value, int) and not isinstance(value, bool):
        return divmod(value, _FUNCTIONS) if 0 <= value < _SLOTS * _FUNCTIONS else None
    match = PCI_ADDRESS.fullmatch(value) if isinstance(value, str) else None
    return (int(match[1], 16), int(match[2] or "0", 16)) if match else None
