"""``-accel``, ``-machine accel=`` and ``-enable-kvm``: which accelerator runs the VM.

Source: ``configure_accelerators`` in system/vl.c (QEMU 10.0).
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from workbook.lib.errors import BadInput, Refusal

from .catalogue import accelerator_properties
from .properties import Dialect, Properties

__all__ = ("AcceleratorOptions",)

_KNOWN: Final = ("kvm", "tcg")
_ELSEWHERE: Final = frozenset(("xen", "hvf", "whpx", "nvmm"))
_INT: Final = frozenset(("kvm-shadow-mem", "tb-size"))


@dataclass
class AcceleratorOptions:
    """The ``-accel`` options of a line; the first that works is taken."""

    default: Literal["kvm", "tcg"]
    given: list[Properties] = field(default_factory=list)

    def take(self, text: str) -> None:
        """Take one ``-accel``.

        Raises
        ------
        BadInput
            It asks for help.
        """
        props = Properties.parse("accel", text, "accel", Dialect.CPU, json_too=False)
        if props.values.get("accel") in (None, "help", "?"):
            raise BadInput(f"-accel {text:.60} asks QEMU for help and starts no VM: leave it out")
        self.given.append(props)

    def choose(self, named: str | None, printed: list[str]) -> Literal["kvm", "tcg", "qtest"]:
        """Return the accelerator; what QEMU prints of those it cannot take is added to `printed`.

        Parameters
        ----------
        named
            ``-machine accel=``.

        Raises
        ------
        BadInput
            One that is not modelled.
        Refusal
            None works.
        """
        if self.given and named is not None:
            raise Refusal('The -accel and "-machine accel=" options are incompatible', "leave one of them out")
        tried = self.given
        if named is not None:
            tried = [Properties({"accel": one}, Dialect.CPU) for one in named.split(":")]
        if not tried:
            return self.default
        complaints: list[str] = []
        for props in tried:
            name = str(props.values["accel"])
            if name == "qtest":
                return "qtest"
            if name in _KNOWN:
                self._check(name, props)
                if complaints:
                    printed += [*complaints, f"falling back to {name}"]
                return name  # type: ignore[return-value]  # one of the names that were checked
            where = f"{props.where}: " if props.where else ""
            complaints.append(f"{where}invalid accelerator {name}")
        elsewhere = [one for one in (str(props.values["accel"]) for props in tried) if one in _ELSEWHERE]
        if elsewhere:
            raise BadInput(f"accelerator {elsewhere[0]!r} is not modelled: known are kvm, tcg and qtest")
        last = Refusal(complaints[-1].rpartition(": ")[2], "kvm and tcg are known")
        last.where, last.before = tried[-1].where, tuple(complaints[:-1])
        raise last

    @staticmethod
    def _check(name: str, props: Properties) -> None:
        known = accelerator_properties(name) or {}
        for key in props.values:
            if key in ("accel", "id"):
                continue
            if key not in known:
                raise props.refusal(f"Property '{name}-accel.{key}' not found", f"-accel {name} has no such property")
            kind = known[key]
            if key in _INT:
                _signed(props, key)
            elif key == "kernel-irqchip":
                props.choice(key, ("on", "off", "split"))
            elif kind == "bool":
                props.flag(key)
            elif kind in ("uint16", "uint32"):
                props.number(key, bits=int(kind[4:]))
            elif key == "thread" and props.values[key] not in ("single", "multi"):
                raise props.refusal(f"Invalid 'thread' setting {props.values[key]}", "single and multi are known")


def _signed(props: Properties, key: str) -> None:
    try:
        props.signed(key)
    except Refusal:
        raise props.refusal(f"Parameter '{key}' expects int64", "a whole number of bytes, without a suffix") from None
