"""Shared definitions are asked by many rules; each is worked out once a view, or once a path."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from pcapdx.case import Case, View
from pcapdx.path.route import Route

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


def once_a_path(function: Callable[[Case], T]) -> Callable[[Case], T]:
    """Keeps a function's result as long as the case's route lives; of a single capture it is worked out each time."""
    known: WeakKeyDictionary[Route, T] = WeakKeyDictionary()

    @wraps(function)
    def kept(case: Case) -> T:
        if case.route is None:
            return function(case)
        if case.route not in known:
            known[case.route] = function(case)
        return known[case.route]

    return kept
