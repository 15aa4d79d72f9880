"""Containers whose layers follow from hyperparameters."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from portanet import checks
from portanet.core import Container, Layer


class Described(Container):
    """The base of containers that make their layers themselves, from numbers and functions.

    Attributes
    ----------
    replaced : mapping of str to Layer, or None
        A field of each of them: layers in the place of those that the hyperparameters describe,
        by their names.
    """

    replaced: Mapping[str, Layer] | None

    @abstractmethod
    def described(self) -> dict[str, Layer]:
        """Return the layers that the hyperparameters describe."""

    def _check_replaced(self) -> None:
        given: Any = self.replaced
        known = self.described()
        if given is None:
            return
        if not isinstance(given, Mapping) or not set(given) <= set(known):
            checks.refuse(self, f"replaced is a mapping with names among {list(known)}", given)

    def children(self) -> Mapping[str, Layer]:
        return {**self.described(), **(self.replaced or {})}

    def redescribed(self, children: Mapping[str, Layer]) -> Container | None:
        """Return this container with hyperparameters that might describe `children`, if any."""
        return None

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        known = self.children()
        whole = {**known, **children}
        new = self.redescribed(whole)
        if new is not None and new.children() == whole:
            return new
        changed = {name: layer for name, layer in children.items() if layer != known.get(name)}
        if not changed:
            return self
        owner: Any = self
        return dataclasses.replace(owner, replaced={**(self.replaced or {}), **changed})
