"""What an observed trait of a widget tells its observers."""

from typing import Generic, TypedDict, TypeVar

__all__ = ("Change",)

_T = TypeVar("_T")


class Change(TypedDict, Generic[_T]):
    """A change of a trait, as `traitlets.HasTraits.observe` hands it over."""

    name: str
    old: _T
    new: _T
