"""``-cpu``: vendor and physical address bits, which decide where memory lies and how much of it there can be.

Sources: target/i386/cpu.c, target/i386/host-cpu.c, target/i386/kvm/kvm-cpu.c (QEMU 10.0); models and their vendors from
`catalogue`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from workbook.lib.errors import Refusal
from workbook.lib.host import Host
from workbook.lib.scenario import Cpu

from .catalogue import CpuModel, cpu_model, cpu_properties
from .properties import Dialect, Properties

__all__ = ("MAX_PHYS_BITS", "CpuOption", "Processor")

TCG_PHYS_BITS: Final = 40
"""TCG_PHYS_ADDR_BITS: what every CPU model has that names no other number."""
MAX_PHYS_BITS: Final = 52
"""TARGET_PHYS_ADDR_SPACE_BITS (target/i386/cpu-param.h)."""
_VENDORS: Final[dict[str, Literal["intel", "amd"]]] = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
_DEFAULT_MODEL: Final = {"x86_64": "qemu64", "i386": "qemu32"}
_OF_MAX: Final = frozenset(("migratable", "host-cache-info"))


@dataclass(frozen=True, slots=True)
class Processor:
    """A CPU model resolved on a host.

    Attributes
    ----------
    vendor, phys_bits
        None: the host's, and the host is not known.
    long_mode
        Whether the guest can have 64-bit addresses: a 32-bit CPU has no 64-bit PCI hole to address.
    """

    vendor: Literal["intel", "amd"] | None
    phys_bits: int | None
    long_mode: bool = True
    warnings: tuple[str, ...] = ()


@dataclass
class CpuOption:
    """``-cpu MODEL,property=value,+feature,-feature`` in QEMU's parsing order.

    Parameters
    ----------
    text
        The option's value; None if there is none.
    program
        ``x86_64`` or ``i386``: its default model, and whether TCG has long mode.
    """

    text: str | None
    program: str = "x86_64"
    model: CpuModel = field(init=False)
    given: dict[str, str] = field(init=False, default_factory=dict)
    added: list[tuple[str, bool]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        model, _, features = (self.text or "").partition(",")
        if self.text is None:
            model = _DEFAULT_MODEL.get(self.program, "qemu64")
        if not model:
            raise Refusal("-cpu option cannot be empty", "name a CPU model, such as max")
        found = cpu_model(model)
        if found is None:
            raise Refusal(
                f"unable to find CPU model '{model}'", "see qemu-system-x86_64 -cpu help; upper and lower case matter"
            )
        self.model = found
        for feature in filter(None, features.split(",")):
            if feature[0] in "+-":
                self.added.append((feature[1:].replace("_", "-"), feature[0] == "+"))
                continue
            name, equals, value = feature.partition("=")
            self.given[name.replace("_", "-")] = value if equals else "on"

    @property
    def kind(self) -> str:
        """QEMU's name of the CPU's type."""
        return f"{self.model.name}-{self.program}-cpu"

    def _properties(self, name: str) -> Properties:
        where = f"can't apply global {self.kind}.{name}={self.given.get(name)}"
        return Properties(self.given, Dialect.CPU, where=where)

    def processor(self, accel: str, host: Host | None) -> Processor:
        """Realize the CPU.

        Raises
        ------
        Refusal
            In the order and words of ``x86_cpu_realizefn``.
        """
        self._check_properties()
        kvm = accel == "kvm"
        if self.model.name == "host" and not kvm:
            raise Refusal("CPU model 'host' requires KVM or HVF", "use -cpu max, or -accel kvm")
        bits = self._properties("phys-bits").number("phys-bits", bits=32)
        long_mode = self._feature("lm", default=self.model.long_mode) and (kvm or self.program != "i386")
        vendor = self._vendor(host if kvm else None, kvm=kvm)
        if not long_mode:
            if bits:
                raise Refusal(
                    "phys-bits is not user-configurable in 32 bit", "leave phys-bits out, or take a 64-bit model"
                )
            return Processor(vendor, 36 if self._has_wide_pages() else 32, long_mode=False)
        warnings: tuple[str, ...] = ()
        found: int | None = bits
        if kvm:
            host_bits = host.phys_bits if host else None
            if bits and host_bits and bits != host_bits:
                warnings = (f"Host physical bits ({host_bits}) does not match phys-bits property ({bits})",)
            host_model = self.model.name in ("host", "max")
            if self._properties("host-phys-bits").flag("host-phys-bits", default=host_model):
                limit = self._properties("host-phys-bits-limit").number("host-phys-bits-limit", bits=8)
                found = min(host_bits or limit, limit) if limit else host_bits
        if found and not 32 <= found <= MAX_PHYS_BITS:
            # the two blanks are QEMU's
            raise Refusal(
                f"phys-bits should be between 32 and {MAX_PHYS_BITS}  (but is {found})", "give phys-bits=48, or none"
            )
        return Processor(vendor, TCG_PHYS_BITS if found == 0 else found, warnings=warnings)

    def _has_wide_pages(self) -> bool:
        """Return whether a 32-bit CPU reaches beyond 4 GiB: by PAE, or by PSE36."""
        wide = self.model.long_mode or self.model.pse36
        return self._feature("pae", default=wide) or self._feature("pse36", default=False)

    def _feature(self, name: str, *, default: bool) -> bool:
        value = default
        if name in self.given:
            value = self._properties(name).flag(name)
        for added, on in self.added:
            # -feature wins over +feature, whatever their order
            if added == name and ((on and (name, False) not in self.added) or not on):
                value = on
        return value

    def _vendor(self, host: Host | None, *, kvm: bool) -> Literal["intel", "amd"] | None:
        given = self.given.get("vendor")
        if given is not None:
            return _VENDORS.get(given)
        if kvm:
            return host.cpu_vendor if host else None
        return _VENDORS.get(self.model.vendor)

    def _check_properties(self) -> None:
        known = cpu_properties()
        for name, value in self.given.items():
            props = self._properties(name)
            if not self._knows(name):
                raise props.refusal(f"Property '{self.kind}.{name}' not found", "-cpu has no such property")
            match known.get(name):
                case "bool":
                    props.flag(name)
                case "uint32":
                    props.number(name, bits=32)
                case "uint8":
                    props.number(name, bits=8)
            if name == "vendor" and len(value) != 12:
                raise props.refusal(
                    "value of property 'vendor' must consist of exactly 12 characters", "such as GenuineIntel"
                )
        for name, _ in self.added:
            if not self._knows(name):
                raise Refusal(f"Property '{self.kind}.{name}' not found", "-cpu has no such feature")

    def _knows(self, name: str) -> bool:
        """Return whether this model has a property: two are those of ``max`` and ``host`` alone."""
        return name in cpu_properties() and (name not in _OF_MAX or self.model.name in ("max", "host"))

    def as_given(self) -> Cpu | None:
        """Return what is kept of the option in a scenario; None if there is none."""
        if self.text is None:
            return None
        read = {"vendor", "phys-bits", "host-phys-bits", "host-phys-bits-limit"}
        rest = self.text.split(",")[1:]
        features = tuple(one for one in rest if one and one.partition("=")[0].replace("_", "-") not in read)
        return Cpu(
            model=self.model.name,
            vendor=self.given.get("vendor"),
            phys_bits=_number(self.given, "phys-bits"),
            host_phys_bits=Properties(self.given, Dialect.CPU).flag("host-phys-bits")
            if "host-phys-bits" in self.given
            else None,
            host_phys_bits_limit=_number(self.given, "host-phys-bits-limit"),
            features=features,
        )


def _number(given: Mapping[str, str], name: str) -> int | None:
    return Properties(given, Dialect.CPU).number(name) if name in given else None
