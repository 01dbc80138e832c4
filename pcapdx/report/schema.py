"""The JSON Schema of a report, made from the classes of :mod:`pcapdx.report.document`."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from pcapdx.report.document import SCHEMA, Document

_PLAIN = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. Objects are open: a later version adds fields."""
    definitions: dict[str, Any] = {}
    root = _object(Document, definitions)
    root["properties"]["schema"] = {"const": SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    names = [one.name for one in fields(kind)]
    return {
        "type": "object",
        "description": inspect.getdoc(kind),
        "properties": {name: _type(hints[name], definitions) for name in names},
        "required": names,
    }


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _type(arguments[1], definitions)}
    if origin is UnionType and not all(one in _PLAIN for one in arguments):
        return {"anyOf": [_type(one, definitions) for one in arguments]}
    if origin is UnionType:
        return {"type": [_PLAIN[one] for one in arguments]}
    return {"type": _PLAIN[hint]}
