"""The kinds of trackers there are: every module in :mod:`pcapdx.attach.trackers`."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from pcapdx.attach import trackers
from pcapdx.attach.tracker import Kind


def kinds() -> Mapping[str, Kind]:
    """By name."""
    found = (import_module(f"{trackers.__name__}.{one.name}").KIND for one in pkgutil.iter_modules(trackers.__path__))
    return {kind.name: kind for kind in found}
