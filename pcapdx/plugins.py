"""Finds dissectors, rules and topics in the installed packs; the only user of importlib.

A pack is one entry point (group ``pcapdx.dissectors`` or ``pcapdx.rules``) that names a package; its folder is walked. Ours
come in by the same door as a stranger's. A module that cannot be imported is reported and the run goes on without it.
"""

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from pcapdx.dissect import Dissector
from pcapdx.model import InternalError
from pcapdx.rule import Rule, TopicPage

DISSECTORS, RULES = "pcapdx.dissectors", "pcapdx.rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """Everything that loaded, in a fixed order, and what did not."""

    dissectors: tuple[Dissector, ...]
    rules: tuple[Rule, ...]
    topics: tuple[TopicPage, ...]
    packs: tuple[str, ...]
    """``name version`` of the distributions that brought them."""
    errors: tuple[InternalError, ...] = ()
    pages: dict[str, str] = field(default_factory=dict)
    """Manual page (docstring) by rule code or dissector name."""
    modules: dict[str, str] = field(default_factory=dict)
    """Module by rule code or dissector name."""


def load() -> Plugins:
    """Imports every pack; two plug-ins of one name or code keep the first, and an error tells of the other."""
    dissectors: dict[str, Dissector] = {}
    rules: dict[str, Rule] = {}
    topics: dict[str, TopicPage] = {}
    errors: list[InternalError] = []
    pages: dict[str, str] = {}
    modules: dict[str, str] = {}
    packs: dict[str, None] = {}
    for group in (DISSECTORS, RULES):
        for point in sorted(importlib.metadata.entry_points(group=group), key=lambda one: one.name != "builtin"):
            if point.dist is not None:
                packs[f"{point.dist.name} {point.dist.version}"] = None
            for module in _modules(point.value, errors):
                for value in _declared(module):
                    key, table = _place(value, dissectors, rules, topics)
                    if key in table:
                        if table[key] is not value:
                            errors.append(InternalError(plugin=module.__name__, what=f"{key} is already taken"))
                        continue
                    table[key] = value
                    pages[key] = module.__doc__ or ""
                    modules[key] = module.__name__
    return Plugins(
        dissectors=tuple(dissectors.values()),
        rules=tuple(rules[code] for code in sorted(rules)),
        topics=tuple(topics.values()),
        packs=tuple(packs),
        errors=tuple(errors),
        pages=pages,
        modules=modules,
    )


def _modules(package: str, errors: list[InternalError]) -> Iterator[ModuleType]:
    """The package and every module below it, by name."""
    try:
        root = importlib.import_module(package)
    except Exception as bug:  # a stranger's pack must not end the run
        errors.append(InternalError(plugin=package, what=f"{type(bug).__name__}: {bug}"))
        return
    yield root
    found = pkgutil.walk_packages(getattr(root, "__path__", []), prefix=f"{package}.", onerror=lambda name: None)
    for name in sorted(one.name for one in found):
        try:
            yield importlib.import_module(name)
        except Exception as bug:  # as above
            errors.append(InternalError(plugin=name, what=f"{type(bug).__name__}: {bug}"))


def _declared(module: ModuleType) -> Iterator[Any]:
    """The plug-ins that a module itself declares, not those it imported."""
    for value in vars(module).values():
        home = None
        if isinstance(value, Dissector):
            home = (value.read or value.pair or value.refine).__module__
        elif isinstance(value, Rule):
            home = value.check.__module__
        elif isinstance(value, TopicPage):
            home = value.seen.__module__
        if home == module.__name__:
            yield value


def _place(
    value: Any, dissectors: dict[str, Dissector], rules: dict[str, Rule], topics: dict[str, TopicPage]
) -> tuple[str, dict[str, Any]]:
    if isinstance(value, Dissector):
        return value.name, dissectors
    if isinstance(value, Rule):
        return value.code, rules
    return value.topic.value, topics
