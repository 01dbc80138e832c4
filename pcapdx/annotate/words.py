"""Secrets that stand behind their name in text of any kind: header lines, forms, queries, JSON, XML, keys.

Every pattern begins with the name and takes what follows as far as it goes, so that none goes over a text twice.
"""

import re
from base64 import b64decode
from collections.abc import Iterator

from pcapdx.annotate.spots import Words

Found = tuple[int, int, str]
"""Begin, end and kind."""

_NAMES = rb"(?:token|passw|pwd|secret|session_?(?:key|id)|signature|api_?key|private_?key|ticket|user_?data|credential"
_NAMES += rb"|kennwort|contrase|senha|mot_?de_?passe"
_NAME = _NAMES + rb"|(?<![A-Za-z0-9_.-])(?:key|sig|sid|sess))"
_NAMES += rb")"
_HEADER = re.compile(
    rb"^((?:proxy-)?authorization|cookie2?|set-cookie2?|x-auth[\w-]{0,64}"
    rb"|[\w-]{0,64}?(?:token|secret|api-?key|passw|session)[\w-]{0,64})[ \t]{0,64}:[ \t]{0,64}([^\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_SCHEME = re.compile(rb"(?:basic|bearer|digest|negotiate|ntlm|token|[\w-]{1,32}) +", re.IGNORECASE)
_COOKIE = re.compile(rb"=([^;]*)")
_PATTERNS = (
    ("form or query value", re.compile(_NAME + rb"[\w.%\[\]-]{0,64}=([^&\s;#\"'<>]{1,65536})", re.IGNORECASE)),
    ("form or query value", re.compile(_NAME + rb"[\w.%-]{0,64}%3d((?:(?!%26)[^&\s;#\"'<>]){1,8192})", re.IGNORECASE)),
    (
        "JSON value",
        re.compile(
            _NAMES + rb"[\w.-]{0,64}\\?[\"']\s{0,8}:\s{0,8}\\?[\"']((?:[^\"\\]|\\[^\"]){1,65536})", re.IGNORECASE
        ),
    ),
    ("XML value", re.compile(_NAMES + rb"[\w-]{0,64}>([^<\s][^<]{0,8191})", re.IGNORECASE)),
    (
        "form or query value",
        re.compile(
            rb"name=\"[^\"\r\n]{0,64}?" + _NAMES + rb"[^\"\r\n]{0,64}\"[^\r\n]{0,200}\r\n"
            rb"(?:[^\r\n]{1,200}\r\n){0,4}\r\n([^\r\n]{1,65536})",
            re.IGNORECASE,
        ),
    ),
    ("URL password", re.compile(rb"://[^/@\s:]{0,256}:([^/@\s]{1,256})@")),
    ("private key", re.compile(rb"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----([A-Za-z0-9+/=\s\\-]{1,20000})")),
    (
        "XML value",  # XenServer's login: name and password are parameters without names
        re.compile(
            rb"login_with_password</methodName>\s{0,64}<params>\s{0,64}<param>\s{0,64}<value>(?:<string>)?[^<]{0,1024}"
            rb"(?:</string>)?</value>\s{0,64}</param>\s{0,64}<param>\s{0,64}<value>(?:<string>)?([^<]{1,4096})"
        ),
    ),
    ("SQL password", re.compile(rb"identified (?:with \S{1,64} )?(?:by|as) (?:password )?'([^']{1,4096})", re.I)),
)
_WORDS = (
    b"token", b"passw", b"pwd", b"secret", b"session", b"signature", b"apikey", b"api_key", b"privatekey",
    b"private_key", b"ticket", b"userdata", b"user_data", b"credential", b"key=", b"sig=", b"sid=", b"sess=", b"key%3d",
    b"sig%3d", b"sid%3d", b"sess%3d", b'name="', b"://", b"-----begin ", b"identified ", b"login_with_",
    b"kennwort", b"contrase", b"senha", b"motdepasse", b"mot_de_passe",
)  # fmt: skip
"""One of these, in lower case, begins whatever a pattern takes: searching for words is ten times as fast."""
_HEADER_WORDS = (
    b"authorization",
    b"cookie",
    b"x-auth",
    b"token",
    b"secret",
    b"api-key",
    b"apikey",
    b"passw",
    b"session",
)


ALL = Words([*_HEADER_WORDS, *_WORDS])
TELLING_WORDS = tuple(b"private key" if word == b"-----begin " else word for word in ALL.words)
"""Nothing is found where none of these stands; no row of dashes is looked at twice."""
FEW = 1024
"""So few bytes are searched before the kernel is called."""


def find(data: bytes, *, fast: bool = False) -> Iterator[Found]:
    """The ranges of all that is behind such a name; ``fast`` looks for the names by the compiled kernel."""
    spots = ALL.spots(data) if fast and len(data) > FEW else _one_by_one(data)
    if any(spots[: len(_HEADER_WORDS)]):
        yield from _headers(data)
    for places in spots[len(_HEADER_WORDS) :]:
        taken = 0
        for at in places:
            for kind, pattern in _PATTERNS if at >= taken else ():
                if match := pattern.match(data, at):
                    yield match.start(1), match.end(1), kind
                    taken = match.end(1)


def _one_by_one(data: bytes) -> list[list[int]]:
    """What the kernel gives, by searching for each word."""
    lowered = data.lower()
    found: list[list[int]] = []
    for word in ALL.words:
        places: list[int] = []
        at = lowered.find(word)
        while at >= 0:
            places.append(at)
            at = lowered.find(word, at + 1)
        found.append(places)
    return found


def _headers(data: bytes) -> Iterator[Found]:
    for match in _HEADER.finditer(data):
        name = match[1].lower()
        if name.startswith((b"cookie", b"set-cookie")):
            pairs = list(_COOKIE.finditer(data, match.start(2), match.end(2)))
            for pair in pairs[:1] if name.startswith(b"set") else pairs:
                yield pair.start(1), pair.end(1), "cookie"
            continue
        scheme = _SCHEME.match(data, match.start(2), match.end(2)) if b"authorization" in name else None
        yield scheme.end() if scheme else match.start(2), match.end(2), "HTTP header"


def within(value: bytes) -> bytes:
    """The password in what a Basic authorization carries; nothing where it is none."""
    try:
        return b64decode(value, validate=True).partition(b":")[2]
    except ValueError:
        return b""
