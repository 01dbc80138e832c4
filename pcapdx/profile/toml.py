"""Site profiles as TOML text."""

from dataclasses import fields, is_dataclass
from importlib.resources import files
from typing import Any

from pcapdx.site import Site


def template() -> str:
    """An empty profile in which every key is explained."""
    return files("pcapdx.profile").joinpath("template.toml").read_text(encoding="utf-8")


def dumps(site: Site, remarks: tuple[str, ...] = ()) -> str:
    """A profile as :func:`pcapdx.site.load_site` reads it, with remarks at its head; what is not known is left out."""
    import tomlkit

    document = tomlkit.document()
    for line in remarks:
        document.add(tomlkit.comment(line))
    table = _table(site)
    for key in sorted(table, key=lambda key: isinstance(table[key], (dict, list)) and bool(table[key])):
        value = table[key]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            tables = tomlkit.aot()
            for one in value:
                tables.append(tomlkit.item(one))
            document.add(key, tables)
        else:
            document.add(key, tomlkit.item(value))
    text: str = tomlkit.dumps(document)
    return text


def _table(value: Any) -> dict[str, Any]:
    """The fields that are known, as plain values."""
    known = [one for one in fields(value) if getattr(value, one.name) != one.default]
    pairs = ((one.name, _plain(getattr(value, one.name))) for one in known)
    return {name: plain for name, plain in pairs if plain not in ([], {})}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _table(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, dict) else value
