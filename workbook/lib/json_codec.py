"""Frozen dataclasses as JSON: what a saved scenario, its actions and a recording are written with and read by.

A class that stands in a union has a tag: its class variable ``type`` (devices) or ``op`` (actions), which is written
beside its fields.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import ClassVar, Final, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from .errors import BadInput

__all__ = ("Json", "JsonObject", "from_json", "to_json")

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""Anything that JSON can say."""

_T = TypeVar("_T")
_TAGS: Final = ("type", "op")


class JsonObject(Mapping[str, Json]):
    """An object of JSON as a value: immutable and hashable, equal to any mapping with the same content.

    Parameters
    ----------
    content
        Its members, in the order in which they are written.
    """

    __slots__ = ("_content",)

    def __init__(self, content: Mapping[str, Json] | Iterable[tuple[str, Json]] = ()) -> None:
        self._content = dict(content)

    def __getitem__(self, key: str) -> Json:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __hash__(self) -> int:
        return hash(frozenset(self._content))

    def __repr__(self) -> str:
        return f"JsonObject({self._content!r})"


def to_json(value: object) -> Json:
    """Return a value as plain JSON; fields of a dataclass that have their default are left out."""
    if isinstance(value, Mapping):
        return {str(key): to_json(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(one) for one in value]
    if not is_dataclass(value):
        return cast("Json", value)
    tag = _tag_of(type(value))
    data: dict[str, Json] = {tag[0]: tag[1]} if tag else {}
    for one in fields(value):
        content: object = getattr(value, one.name)
        if content != _default(one):
            data[one.name] = to_json(content)
    return data


def _default(one: "Field[object]") -> object:
    return one.default if one.default_factory is MISSING else one.default_factory()


def from_json(kind: type[_T], data: object, name: str) -> _T:
    """Build a value of type `kind` from plain JSON.

    Parameters
    ----------
    kind
        A dataclass, a union of tagged ones, or a type of a dataclass's field.
    name
        Path of the value for the error line, such as ``scenario.devices[0]``.

    Raises
    ------
    BadInput
        An unknown or a missing field, or a value of the wrong type; the line names it.
    """
    return cast("_T", _read(kind, data, name))


def _read(kind: object, data: object, name: str) -> object:
    origin = get_origin(kind)
    if origin is Literal:
        if data in get_args(kind) and type(data) in {type(one) for one in get_args(kind)}:
            return data
        raise BadInput(f"{name} is {data!r:.60}: allowed are {', '.join(map(repr, get_args(kind)))}")
    if origin in (Union, UnionType):
        return _read_union(get_args(kind), data, name)
    if origin is tuple:
        return _read_tuple(get_args(kind), data, name)
    if origin is Mapping:
        if not isinstance(data, Mapping):
            raise BadInput(f"{name} must be an object, not {data!r:.60}")
        return {str(key): _read(get_args(kind)[1], item, f"{name}.{key}") for key, item in data.items()}
    if isinstance(kind, type) and issubclass(kind, JsonObject):
        if not isinstance(data, Mapping):
            raise BadInput(f"{name} must be an object, not {data!r:.60}")
        return kind(data)
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_record(kind, data, name)
    assert isinstance(kind, type)
    if type(data) is not kind and (kind is not float or type(data) is not int):
        raise BadInput(f"{name} must be {kind.__name__}, not {data!r:.60}")
    return data


def _read_tuple(inner: Sequence[object], data: object, name: str) -> object:
    if not isinstance(data, list):
        raise BadInput(f"{name} must be a list, not {data!r:.60}")
    if inner[-1] is Ellipsis:
        return tuple(_read(inner[0], item, f"{name}[{index}]") for index, item in enumerate(data))
    if len(inner) != len(data):
        raise BadInput(f"{name} must have {len(inner)} entries, not {len(data)}")
    return tuple(
        _read(one, item, f"{name}[{index}]") for index, (one, item) in enumerate(zip(inner, data, strict=True))
    )


def _read_union(kinds: Sequence[object], data: object, name: str) -> object:
    if data is None and type(None) in kinds:
        return None
    tagged = {tag: one for one in kinds if isinstance(one, type) and (tag := _tag_of(one))}
    if tagged:
        ((key, *_),) = {(key,) for key, _ in tagged}
        tag = data.get(key) if isinstance(data, Mapping) else None
        found = tagged.get((key, tag)) if isinstance(tag, str) else None
        if found is None:
            known = ", ".join(value for _, value in tagged)
            article = "an" if key[0] in "aeiou" else "a"
            raise BadInput(f"{name} needs {article} {key}, one of {known}; not {tag!r:.60}")
        assert isinstance(data, Mapping)
        return _read_record(found, {one: item for one, item in data.items() if one != key}, name)
    others = [one for one in kinds if one is not type(None)]
    if len(others) == 1:
        return _read(others[0], data, name)
    if type(data) in others:
        return data
    names = " or ".join(one.__name__ for one in others if isinstance(one, type))
    raise BadInput(f"{name} must be {names}, not {data!r:.60}")


def _tag_of(kind: type) -> tuple[str, str] | None:
    for key in _TAGS:
        tag = kind.__dict__.get(key)
        if isinstance(tag, str):
            return key, tag
    return None


def _read_record(kind: type, data: object, name: str) -> object:
    if not isinstance(data, Mapping):
        raise BadInput(f"{name} must be an object, not {data!r:.60}")
    hints = {key: hint for key, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}
    unknown = sorted(set(map(str, data)) - set(hints))
    if unknown:
        raise BadInput(f"{name} has no field {unknown[0]!r:.60}: known are {', '.join(hints)}")
    required = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    missing = sorted(required - set(data))
    if missing:
        raise BadInput(f"{name} lacks the field {missing[0]!r}")
    made: object = kind(**{key: _read(hints[key], item, f"{name}.{key}") for key, item in data.items()})
    return made
