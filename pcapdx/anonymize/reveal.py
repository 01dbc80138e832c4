"""Translates texts with pseudonyms back, by the key and the names that its file keeps."""

import json
from typing import Any

from pcapdx.anonymize.keyfile import KeyFile
from pcapdx.anonymize.pseudonyms import Pseudonyms


def revealed(data: bytes, key: KeyFile) -> str:
    """A text, or JSON string by string. Addresses that are nobody's pseudonym are translated all the same."""
    text = data.decode("utf-8", "replace")
    told = Pseudonyms(key.key)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return told.reveal(text, key.names)
    if not isinstance(tree, (dict, list)):
        return told.reveal(text, key.names)
    indent = 2 if "\n" in text.strip() else None
    return json.dumps(_within(tree, told, key.names), indent=indent, ensure_ascii=False) + "\n"


def _within(value: Any, told: Pseudonyms, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return told.reveal(value, names)
    if isinstance(value, list):
        return [_within(one, told, names) for one in value]
    if isinstance(value, dict):
        return {name: _within(one, told, names) for name, one in value.items()}
    return value
