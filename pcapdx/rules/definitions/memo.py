"""Shared definitions are asked by many rules; each is worked out once a view."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from pcapdx.case import View

T = TypeVar("T")


def once_a_view(function: Callable[[View], T]) -> Callable[[View], T]:
    """Keeps a function's result as long as the view lives."""
    known: WeakKeyDictionary[View, T] = WeakKeyDictionary()

    @wraps(function)
    def kept(view: View) -> T:
        if view not in known:
            known[view] = function(view)
        return known[view]

    return kept
