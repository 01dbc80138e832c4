"""Strings that try to be more than text: for a terminal, a browser, a Markdown renderer, a spreadsheet, a reader."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from hypothesis import strategies as st

STRINGS = (
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link",
    "\x9b31m",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "{{7*7}}{% raw %}",
    "-->]]></style></svg>",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "`code` ``two`` **bold** _it_ ~~gone~~",
    "| a | b |",
    "# head",
    "- item",
    "1. item",
    "1) item",
    "    indented",
    "=cmd|'/C calc'!A0",
    "@SUM(1)",
    "+1",
    "-1",
    "\u202etxt.exe",
    "\u2066hidden\u2069",
    "\r\nHost: evil\r\n",
    "\n\n# head\n",
    "\u2028line\u2029",
    "&lt;b&gt;&#42;",
    "www.evil.example",
    "http://evil.example/ <http://evil.example>",
    "root@evil.example",
    "\x00\x08\x7f",
    "$x^2$ $$y$$",
    "\ud800",
    "\t=1",
    "é漢字🙂",
    "A" * 300,
)
"""Each for one trick; combinations come from :data:`texts`."""

texts = st.lists(st.sampled_from(STRINGS) | st.text(min_size=1, max_size=12), min_size=1, max_size=5).map("".join)

CLOSED = frozenset({"schema", "code", "severity", "confidence", "topic", "state", "role"})
"""Fields that hold words of pcapdx's own and nothing of a capture."""
REFERENCES = frozenset({"id", "finding", "consequences", "explained_by", "capture", "name"})
"""Fields by which entries name one another: the same stays the same."""

T = TypeVar("T")


def poisoned(value: T, strings: Callable[[str], str]) -> T:
    """A copy of a document in which ``strings`` has changed every text that a capture could have a say in."""
    return _poisoned(value, strings)  # type: ignore[no-any-return] # of the same class as the value


def _poisoned(value: Any, strings: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return strings(value)
    if isinstance(value, tuple):
        return tuple(_poisoned(one, strings) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        names = {one.name for one in fields(value)} - CLOSED - REFERENCES
        return replace(value, **{name: _poisoned(getattr(value, name), strings) for name in names})
    return value
