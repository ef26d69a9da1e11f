"""Objects of the Kubernetes API as nested mappings, however they were written, read field by field.

Source: https://kubevirt.io/api-reference/ (VirtualMachine, VirtualMachineInstance; kubevirt.io/v1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from workbook.lib.errors import BadInput

__all__ = ("KINDS", "Field", "virtual_machines", "vm_spec", "vmi_spec")

KINDS: Final = ("VirtualMachine", "VirtualMachineInstance", "VirtualMachineInstanceReplicaSet", "VirtualMachinePool")
"""Objects that describe a VM."""
MOST_NESTED: Final = 8
"""Lists of lists that are followed."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value within an object, with its place for error lines."""

    value: object
    where: str = ""

    def __getitem__(self, path: str) -> "Field":
        """Return a field by its dotted path; its value is None where something on the way is missing.

        Raises
        ------
        BadInput
            Something on the way is there and no mapping.
        """
        field = self
        for name in path.split("."):
            where = f"{field.where}.{name}" if field.where else name
            if field.value is None:
                field = Field(None, where)
            elif isinstance(field.value, Mapping):
                field = Field(field.value.get(name), where)
            else:
                raise BadInput(f"{field.where or 'the object'} is {field.value!r:.60}: it must be a mapping")
        return field

    def __iter__(self) -> Iterator["Field"]:
        """Yield the entries of a list; none where there is none.

        Raises
        ------
        BadInput
            Not a list.
        """
        if self.value is None:
            return
        if not isinstance(self.value, Sequence) or isinstance(self.value, str | bytes):
            raise BadInput(f"{self.where} is {self.value!r:.60}: it must be a list")
        for index, one in enumerate(self.value):
            yield Field(one, f"{self.where}[{index}]")

    @property
    def given(self) -> bool:
        """Whether it is there."""
        return self.value is not None

    def text(self, default: str = "") -> str:
        """Return text.

        Raises
        ------
        BadInput
            It is something else.
        """
        if self.value is None:
            return default
        if not isinstance(self.value, str):
            raise BadInput(f"{self.where} is {self.value!r:.60}: it must be text")
        return self.value

    def flag(self, default: bool = False) -> bool:
        """Return a switch.

        Raises
        ------
        BadInput
            It is something else.
        """
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            raise BadInput(f"{self.where} is {self.value!r:.60}: it must be true or false")
        return self.value

    def number(self, default: int) -> int:
        """Return a whole number that is not negative.

        Raises
        ------
        BadInput
            It is something else, or above 2^32.
        """
        if self.value is None:
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not 0 <= self.value < 1 << 32:
            raise BadInput(f"{self.where} is {self.value!r:.60}: it must be a whole number")
        return self.value


def vm_spec(given: Field) -> Field:
    """Return the spec of an object, or of the VirtualMachine that a pool makes.

    Raises
    ------
    BadInput
        Something on the way is no mapping.
    """
    spec = given["spec"]
    return spec["virtualMachineTemplate.spec"] if spec["virtualMachineTemplate"].given else spec


def vmi_spec(given: Field) -> Field:
    """Return the part of an object that describes one VM: the spec of its VirtualMachineInstance.

    Raises
    ------
    BadInput
        Something on the way is no mapping.
    """
    spec = vm_spec(given)
    return spec if given["kind"].text() == "VirtualMachineInstance" else spec["template.spec"]


def virtual_machines(given: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield name and object of every VM in what ``kubectl get ... -o json`` prints: one object, a list, lists of them.

    Raises
    ------
    BadInput
        Nothing of KubeVirt.
    """
    yield from _unfold(Field(given), 0)


def _unfold(field: Field, depth: int) -> Iterator[tuple[str, Mapping[str, object]]]:
    if not isinstance(field.value, Mapping):
        raise BadInput(f"{field.where or 'this'} is no object of Kubernetes: it has no kind, such as VirtualMachine")
    kind = field["kind"].text()
    if kind.endswith("List") or (not kind and "items" in field.value):
        if depth > MOST_NESTED:
            raise BadInput(f"{field.where}: lists of lists of lists are not followed")
        for one in field["items"]:
            yield from _unfold(one, depth + 1)
        return
    if kind not in KINDS:
        raise BadInput(f"{field.where or 'the object'} has kind {kind!r:.60}: known are {', '.join(KINDS)} and lists")
    meta = field["metadata"]
    name, space = meta["name"].text("vm"), meta["namespace"].text()
    yield f"{space}/{name}" if space else name, field.value
