"""The devices of a command line, made in QEMU's order (``qemu_create_cli_devices`` in system/vl.c, 10.0)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from workbook.lib.errors import BadInput, Refusal
from workbook.lib.rules.base import RuleSet
from workbook.lib.scenario import Device, PciDevice, Scenario

from . import device_lists
from .catalogue import device_properties, resolved_device
from .devices import Buses, check_device, device_of, fixture_of, with_globals
from .displays import check_display
from .iommu import IOMMUS, check_iommu
from .links import ids_of
from .machine_option import Board
from .netdevs import DEFAULT_CARD, network_card, vhost_netdev
from .parsed_options import ParsedOptions
from .pci_addresses import PciAddresses
from .properties import Dialect, Properties

__all__ = ("DeviceCreation",)

_DISPLAY_NAMES: Final = {
    "std": "VGA",
    "cirrus": "cirrus-vga",
    "vmware": "vmware-svga",
    "qxl": "qxl-vga",
    "virtio": "virtio-vga",
    "none": None,
    "xenfb": None,
    "tcx": None,
    "cg3": None,
}
_ON: Final = ("on", "yes", "true", "y")
_NO_DEFAULT_DISPLAY: Final = frozenset(
    "VGA isa-vga cirrus-vga isa-cirrus-vga vmware-svga qxl-vga virtio-vga ati-vga vhost-user-vga virtio-vga-gl "
    "virtio-vga-rutabaga".split()
)
"""Devices beside which QEMU makes no display of its own (``default_list`` in system/vl.c)."""


@dataclass
class DeviceCreation:
    """Makes the devices of parsed options on a board.

    Parameters
    ----------
    complete
        The line has all devices at their addresses; libvirt's, as far as it matters, has not.
    """

    line: ParsedOptions
    rules: RuleSet | None
    vhost_slots: Mapping[str, int | None]
    complete: bool = True
    _has_iommu: bool = field(default=False, init=False)

    def default_display(self) -> str | None:
        """Return the display that the board makes (``qemu_create_default_devices``).

        Raises
        ------
        Refusal
            -vga names none that exists.
        """
        named = {str(one.values.get("driver")) for one in self.line.devices} | {
            driver for driver, _, _ in self.line.globals
        }
        if self.line.vga is None:
            return None if "nodefaults" in self.line.flags or named & _NO_DEFAULT_DISPLAY else "VGA"
        for name, driver in _DISPLAY_NAMES.items():
            rest = self.line.vga.removeprefix(name)
            if self.line.vga.startswith(name):
                while rest.startswith((",retrace=dumb", ",retrace=precise")):
                    rest = rest.removeprefix(",retrace=").removeprefix("dumb").removeprefix("precise")
                if not rest:
                    return driver
        raise Refusal(f"unknown vga type: {self.line.vga}", f"known are {', '.join(_DISPLAY_NAMES)}")

    def _board_fixtures(self, board: Board, display: str | None) -> list[PciDevice]:
        """Return the display and the network cards that the board makes itself."""
        found = [] if display is None else [PciDevice(driver=display)]
        if not self.line.has_network and "nodefaults" not in self.line.flags:
            found.append(PciDevice(driver=DEFAULT_CARD[board.chipset]))
        found += [one for one in (network_card(card, board.chipset) for card in self.line.cards) if one is not None]
        return found

    def with_devices(
        self, scenario: Scenario, board: Board, display: str | None
    ) -> tuple[Scenario, Refusal | BadInput | None]:
        """Make the devices of the line: key=value before JSON, network back ends before all.

        Returns
        -------
        tuple
            The VM with the devices up to the first that is refused, and what QEMU says of that one.
        """
        fixtures = [*scenario.fixtures, *self._board_fixtures(board, display)]
        made: list[Device] = []
        for props in (*self.line.netdevs, *self.line.cards):
            found = vhost_netdev(props, self._slots(props))
            made += [found] if found is not None else []
        buses = self._buses(board)
        addresses = self._addresses(board, scenario, display)
        if self.line.machine.get("usb") in _ON:
            buses.kinds.add("usb-bus")
        self._note_globals()
        failure: Refusal | BadInput | None = None
        ordered = [one for one in self.line.devices if one.dialect is not Dialect.JSON]
        ordered += [one for one in self.line.devices if one.dialect is Dialect.JSON]
        for props in ordered:
            try:
                device, fixture = self._device(props, buses)
                self._put(props, board, scenario, buses, addresses)
                if fixture is not None:
                    check_display(props, fixture.driver, [one.driver for one in fixtures])
            except (Refusal, BadInput) as error:
                failure = error
                break
            made += [device] if device is not None else []
            fixtures += [fixture] if fixture is not None else []
        shown = any(one.driver == "VGA" for one in fixtures)
        scenario = replace(scenario, devices=tuple(made), fixtures=tuple(fixtures), display=shown)
        return scenario, failure

    def _buses(self, board: Board) -> Buses:
        line = self.line
        defined = {
            "drive": ids_of(line.drives, "id", "node-name"),
            "chardev": ids_of(line.chardevs, "id"),
            "netdev": ids_of(line.netdevs, "id"),
            **dict.fromkeys(("rng", "iothread", "cryptodev"), ids_of(line.objects, "id")),
        }
        names = {key: ids for key, ids in defined.items() if ids and self.complete}
        names["memdev"] = ids_of(line.objects, "id")
        return Buses("pcie.0" if board.chipset == "q35" else "pci.0", names=names)

    def _addresses(self, board: Board, scenario: Scenario, display: str | None) -> PciAddresses | None:
        """Return the board's PCI addresses in use; None where the line does not have all devices."""
        if not self.complete:
            return None
        on = {key: self.line.machine.get(key) not in ("off", "no", "false", "n") for key in ("sata", "smbus")}
        usb = self.line.machine.get("usb") in _ON
        own = [one.driver for one in self._board_fixtures(board, display)]
        return PciAddresses.of_board(board.chipset, usb=usb, acpi=scenario.acpi, own=own, **on)

    def _put(
        self, props: Properties, board: Board, scenario: Scenario, buses: Buses, addresses: PciAddresses | None
    ) -> None:
        """Put a device on its bus, and check an IOMMU."""
        driver = resolved_device(str(props.values["driver"]))
        if driver in IOMMUS:
            irqchip = self.line.machine.get("kernel-irqchip", self.line.machine.get("kernel_irqchip", "on"))
            in_kernel = scenario.accel == "kvm" and irqchip == "on"
            check_iommu(props, driver, chipset=board.chipset, others=self._has_iommu, irqchip_in_kernel=in_kernel)
            self._has_iommu = True
        if addresses is None:
            return
        self._note_left_out(props, buses)
        if "romfile" in (device_properties(driver) or {}):
            addresses.put(props, driver)

    def _note_globals(self) -> None:
        """Say that what is hot-plugged later does not know the line's global properties."""
        for driver, key, value in self.line.globals:
            if driver.removesuffix("-pci") in ("virtio-mem", "virtio-pmem", "pc-dimm", "nvdimm"):
                text = f"a {driver} that is hot-plugged later does not get {key}={value} here, but in QEMU it does"
                self.line.note("not modelled", text, f"-global {driver}.{key}={value}")

    def _note_left_out(self, props: Properties, buses: Buses) -> None:
        """Say what a line lacks that somebody has shortened: QEMU would not take it as it stands."""
        bus = props.values.get("bus")
        if isinstance(bus, str) and bus not in buses.ids and buses.left_out(bus):
            self.line.note("assumed", f"there is a bus {bus}: the line has no bridge of that name", props.where)
        for key, option in (("drive", "-drive"), ("chardev", "-chardev"), ("netdev", "-netdev")):
            if key in props.values and key not in buses.names:
                text = f"there is a {key} {props.values[key]!s:.60}: the line has no {option} at all"
                self.line.note("assumed", text, props.where)

    def _slots(self, props: Properties) -> int | None:
        name = props.values.get("id")
        return self.vhost_slots.get(name) if isinstance(name, str) else None

    def _device(self, props: Properties, buses: Buses) -> tuple[Device | None, PciDevice | None]:
        props = with_globals(props, self.line.globals)
        driver = check_device(props, rules=self.rules, buses=buses)
        device = device_of(props, vhost_slots=self._slots(props))
        name = props.values.get("id")
        buses.add(driver, name if isinstance(name, str) else None)
        if driver in device_lists.UNMODELLED_DEVICES:
            self.line.note("not modelled", device_lists.UNMODELLED_DEVICES[driver], props.where)
        return device, fixture_of(props)
