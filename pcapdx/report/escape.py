"""Text from a capture, made harmless for the place it goes to. Every string of a report passes one of these."""

import html
import re
import unicodedata

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#|~!&$])|^([+\-=])|^(\d+)(\.)")
_LINKS = re.compile(r"(://|@|\bwww\.|\bmailto:)", re.IGNORECASE)
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def plain(text: str) -> str:
    """No control character, line break, escape sequence, or direction override survives; each shows as ``\\xNN``.

    For terminals, logs and pcapng comments: a host name must not be able to move a cursor or turn a sentence round.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _harmless(char) else _shown(char) for char in text)


def _harmless(char: str) -> bool:
    return char.isprintable() and unicodedata.category(char) not in ("Cf", "Co", "Cs", "Zl", "Zp")


def _shown(char: str) -> str:
    point = ord(char)
    return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}" if point < 65536 else f"\\U{point:08x}"


def markup(text: str) -> str:
    """For HTML and SVG, in text and in quoted attributes."""
    return html.escape(plain(text), quote=True)


def markdown(text: str) -> str:
    """For Markdown in text and table cells: nothing is markup, a link, a mention, an image, an entity or HTML."""
    escaped = _MARKDOWN.sub(_backslashed, plain(text).strip())
    return _LINKS.sub(lambda match: f"{match[1][0]}\u200b{match[1][1:]}", escaped)


def _backslashed(match: re.Match[str]) -> str:
    if match[4]:
        return f"{match[3]}\\{match[4]}"
    return "\\" + (match[1] or match[2])


def code(text: str) -> str:
    """For Markdown's code spans, not in tables: fenced by more backticks than the text has in a row."""
    shown = plain(text)
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


_JIRA = re.compile(r"([\\{}\[\]*_+^~?|!&@#-])|^(h[1-6]|bq)(\.)|^(\d+)(\.)")


def jira(text: str) -> str:
    """For Jira's wiki markup in text and table cells: nothing is a macro, a link, a mention, an emoticon or a list."""
    escaped = _JIRA.sub(_wiki_backslashed, plain(text).strip())
    escaped = _LINKS.sub(lambda match: f"{match[1][0]}\u200b{match[1][1:]}", escaped)
    return _EMOTICON.sub(lambda match: f"{match[1]}\u200b{match[2]}", escaped)


_EMOTICON = re.compile(r"([:;(])([)(PpDx/yn!+*i])")


def _wiki_backslashed(match: re.Match[str]) -> str:
    if match[1]:
        return "\\" + match[1]
    return f"{match[2] or match[4]}\\{match[3] or match[5]}"


def jira_code(text: str) -> str:
    """For Jira's monospaced text: all that would end it or mean something within is escaped."""
    return "{{" + jira(text) + "}}"


def cell(text: str) -> str:
    """For CSV and spreadsheets: nothing begins a formula."""
    shown = plain(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
