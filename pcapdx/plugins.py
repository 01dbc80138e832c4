"""Finds dissectors, rules and topics in the installed packs; the only user of importlib.

A pack is one entry point (group ``pcapdx.dissectors`` or ``pcapdx.rules``) that names a package; its folder is walked.
Ours come in by the same door as a stranger's. A module that cannot be imported is reported and the run goes on without
it.

Entry points are read from the installed ``*.dist-info/entry_points.txt`` directly (Python Packaging User Guide, "Entry
points specification"): ``importlib.metadata`` takes 40 ms for the same, a fifth of a whole run on a small capture.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pcapdx.dissect import Dissector
from pcapdx.model import InternalError
from pcapdx.rule import Rule, TopicPage
from pcapdx.values import dataclass

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
    points = sorted(entry_points(sys.path), key=lambda one: (one.name != "builtin", one))
    for group in (DISSECTORS, RULES):
        for point in (one for one in points if one.group == group):
            packs[point.distribution] = None
            for module in _modules(point.package, errors):
                for value in _declared(module):
                    key, table = _place(value, dissectors, rules, topics)
                    if key in table:
                        if table[key] is not value:
                            errors.append(InternalError(plugin=module.__name__, what=f"{key} is already taken"))
                        continue
                    table[key] = value
                    if table is not topics:  # a topic may be called as a dissector is: dhcp
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


class EntryPoint(NamedTuple):
    """One pack's door."""

    group: str
    name: str
    package: str
    distribution: str
    """``name version`` of the distribution that brings it."""


def entry_points(path: list[str]) -> set[EntryPoint]:
    """The packs of every distribution installed on an import path; unreadable folders have none."""
    found: set[EntryPoint] = set()
    for folder in map(Path, dict.fromkeys(path)):
        try:
            files = sorted(folder.glob("*.dist-info/entry_points.txt"))
        except OSError:
            continue
        for file in files:
            text = file.read_text(encoding="utf-8", errors="replace")
            if "[pcapdx." in text:
                name, _, version = file.parent.name.removesuffix(".dist-info").partition("-")
                found.update(_in_file(text, f"{name} {version}"))
    return found


def _in_file(text: str, distribution: str) -> Iterator[EntryPoint]:
    group = ""
    for line in text.splitlines():
        entry = line.split("#", 1)[0].strip()
        if entry.startswith("["):
            group = entry.strip("[] ")
        elif "=" in entry and group in (DISSECTORS, RULES):
            name, _, package = entry.partition("=")
            yield EntryPoint(group, name.strip(), package.strip(), distribution)


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
            checks = value.check or value.check_path
            home = checks.__module__ if checks else None
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
