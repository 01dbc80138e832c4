"""The report as JSON, by the contract."""

import json

from pcapdx.report.document import Document, as_json


def render(document: Document) -> str:
    """The whole report, indented, ending in a newline. Non-ASCII text is escaped, so no terminal is moved by it."""
    return json.dumps(as_json(document), indent=2, ensure_ascii=True) + "\n"
