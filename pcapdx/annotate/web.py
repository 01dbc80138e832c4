"""Secrets in HTTP: bodies that are secret as a whole, found by framing both directions of a connection.

What stands behind a telling name (headers, queries, forms) is found by :mod:`pcapdx.annotate.words` wherever it is.
Here are the answers of password servers and of the metadata service, bodies that are compressed (nobody looks into
them), and all that follows a switch of protocols (websockets carry consoles with every key pressed).
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import field

from pcapdx.annotate import words
from pcapdx.annotate.ledger import FOREVER
from pcapdx.annotate.logins import Run
from pcapdx.values import dataclass

_START = re.compile(rb"(?:[A-Za-z][A-Za-z_-]{1,31} [^\r\n]{1,8192} HTTP/1|HTTP/1\.\d \d{3})")
_RESYNC = re.compile(rb"(?:(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) /[^\r\n]{0,8192} HTTP/1|HTTP/1\.\d \d{3})")
_BLANK = re.compile(rb"\n\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_DOMU = re.compile(rb"^(?:domu|vm)_request[ \t]*:", re.IGNORECASE | re.MULTILINE)
_HTML = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)[\s>]", re.IGNORECASE)
_KEYWORD = re.compile(rb"\s*(?:saved_password|bad_request|HTTP/1\.[01] 400 [^\r\n]*\r?\n.*bad_request)\s*", re.DOTALL)
_SECRET_PATH = re.compile(
    rb"/(?:latest|openstack|\d{4}-\d\d-\d\d|1\.0|computemetadata|metadata|opc)(?:/.*)?|.*(?:user-?_?data|public-keys).*",
    re.IGNORECASE | re.DOTALL,
)
_HARMLESS = re.compile(
    rb"/latest(?:/meta-data)?(?:/(?:instance-id|local-hostname|local-ipv4|vm-id|availability-zone|service-offering"
    rb"|public-hostname|public-ipv4|cloud-identifier|cloud-domain|hypervisor-host-name)?/?)?",
    re.IGNORECASE,
)  # fmt: skip
"""What the metadata service tells that is no secret, and the list of what there is."""
UNASKED_PORTS = frozenset({80, 8080, 3128})
"""Where an answer may be a secret though nobody saw what was asked."""
TELLING_WORDS = (
    b"domu_request", b"vm_request", b"/latest", b"/openstack", b"/####-##-##", b"/1.0", b"/computemetadata",
    b"/metadata", b"/opc", b"userdata", b"user-data", b"user_data", b"user-_data", b"public-keys", b"content-encoding",
    b"chunked", b" 101",
)  # fmt: skip
"""A connection in which none of these stands, whatever the case, has no body that is secret; ``#`` is any digit."""
_MOST_HEAD = 65_536
_MOST_CHUNKED = 4 << 20
PASSWORD, METADATA, COMPRESSED, SOCKET = "password server answer", "metadata answer", "compressed message", "websocket"

Mark = Callable[[bool, int, int, str, bytes], None]
"""Side (True: the client's), begin, end, kind, and the value where it is at hand."""


@dataclass(slots=True)
class Head:
    """What of a head decides about its body."""

    request: bool
    path: bytes
    status: int
    fields: dict[bytes, bytes]
    domu: bool

    @property
    def compressed(self) -> bool:
        """The body is encoded so that its text does not show."""
        return self.fields.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b"")


@dataclass(slots=True)
class Web:
    """Both directions of one connection, as far as they were framed."""

    port: int
    asked: deque[str] = field(default_factory=deque)
    """Of each request not answered yet: the kind of secret its answer is, or nothing."""
    at: dict[bool, int | None] = field(default_factory=lambda: {True: None, False: None})
    """By side: where the next message begins; None where that is to be looked for."""
    asks: bool = False
    """Some request was seen."""
    switched: int | None = None
    """Where the client's bytes go on after a request to switch protocols."""

    def read(self, runs: Sequence[Run], mark: Mark, *, over: bool) -> None:
        """Goes on over what is at hand of both sides; ``over``: nothing more will come."""
        self._walk([run for run in runs if run.client], mark, True, over)
        self._walk([run for run in runs if not run.client], mark, False, over)
        if self.switched is None and self.at[True] is None:
            self._walk([run for run in runs if run.client], mark, True, over)

    def _walk(self, runs: Sequence[Run], mark: Mark, client: bool, over: bool) -> None:
        for run in runs:
            over = over or run is not runs[-1]  # a gap: what is missing will not come
            at = self.at[client]
            end = run.begin + len(run.data)
            if at is not None and at >= end:
                continue
            place: int | None = 0 if at is None or at < run.begin else at - run.begin
            while place is not None and place < len(run.data):
                place = self._message(run, place, mark, client, over)
            if place is not None:
                self.at[client] = run.begin + place

    def _message(self, run: Run, place: int, mark: Mark, client: bool, over: bool) -> int | None:
        """Passes one message; where the next one begins, or None to wait for more bytes."""
        data = run.data
        while place < len(data) and data[place] in b"\r\n":
            place += 1
        if _START.match(data, place) is None:
            found = _RESYNC.search(data, place)
            if found is None:
                self.at[client] = run.begin + max(place, len(data) - 64)
                return None
            place = found.start()
        self.at[client] = run.begin + place
        end = _BLANK.search(data, place, place + _MOST_HEAD)
        if end is None:
            if len(data) - place < _MOST_HEAD:
                return None
            return place + _MOST_HEAD
        head = _head(data[place : end.start()])
        held = self.asked[0] if self.asked else None
        if head.request:
            self._note(head)
            kind = ""
            if b"upgrade" in head.fields or data[place : place + 8] == b"CONNECT ":
                self.switched = run.begin + end.end()
                self.at[client] = FOREVER
                return FOREVER
        else:
            kind = self._kind_of(head, run, end.end(), mark)
            if head.status == 101:
                mark(client, run.begin + end.end(), FOREVER, SOCKET, b"")
                if self.switched is not None:
                    mark(True, self.switched, FOREVER, SOCKET, b"")
                self.at[client] = FOREVER
                return FOREVER
        after = self._body(head, kind, run, end.end(), mark, client, over)
        if after is None and head.request:
            self.asked.pop()
        elif after is None and held is not None:
            self.asked.appendleft(held)
        return after

    def _note(self, head: Head) -> None:
        self.asks = True
        kind = ""
        if head.domu:
            kind = PASSWORD
        elif _SECRET_PATH.fullmatch(head.path) and not _HARMLESS.fullmatch(head.path):
            kind = METADATA
        self.asked.append(kind)

    def _kind_of(self, head: Head, run: Run, body: int, mark: Mark) -> str:
        """What kind of secret an answer is."""
        if head.status < 200 and head.status != 101:
            return ""
        if head.status != 101 and self.switched is not None:
            self.at[True], self.switched = self.switched, None
        if self.asked:
            kind = self.asked.popleft()
        elif not self.asks and self.port in UNASKED_PORTS and _plain(head):
            kind = PASSWORD if self.port != 80 else METADATA
        else:
            return ""
        return kind if kind == PASSWORD or head.status // 100 == 2 else ""

    def _body(self, head: Head, kind: str, run: Run, at: int, mark: Mark, client: bool, over: bool) -> int | None:
        data = run.data
        if not head.request and (head.status < 200 or head.status in (204, 304)):
            return at
        if head.fields.get(b"transfer-encoding", b"").strip().lower().endswith(b"chunked"):
            return self._chunked(head, kind, run, at, mark, client, over)
        length = head.fields.get(b"content-length", b"").split(b",")[0].strip()
        size = int(length) if length.isdigit() and len(length) < 19 else None
        if size is None:
            size = 0 if head.request else FOREVER
        if not head.request and data.startswith(b"HTTP/1.", at) and not _KEYWORD.match(data, at):
            return at  # the answer to HEAD tells a length and has no body
        kind = COMPRESSED if head.compressed else kind
        if kind and size:
            if size != FOREVER and at + size > len(data) and not over and size < _MOST_CHUNKED:
                return None
            body = data[at : at + size]
            whole = len(body) == size or (size == FOREVER and over)
            if not self._spared(body, kind, whole):
                self._mark(mark, client, run.begin + at, size, body, kind, whole)
        return at + size

    def _mark(self, mark: Mark, client: bool, begin: int, size: int, body: bytes, kind: str, whole: bool) -> None:
        if not whole:
            mark(client, begin, min(begin + size, FOREVER), kind, b"")
            return
        inner = body.strip() if kind != COMPRESSED else body
        if inner:
            first = begin + body.find(inner)
            mark(client, first, first + len(inner), kind, inner)
        if size == FOREVER:
            mark(client, begin + len(body), FOREVER, kind, b"")

    def _spared(self, body: bytes, kind: str, whole: bool) -> bool:
        """A password server's keyword, or a page, which is another server's."""
        if kind == METADATA:
            return bool(_PAGE.match(body))
        return kind == PASSWORD and whole and bool(_KEYWORD.fullmatch(body) or _HTML.match(body) or not body.strip())

    def _chunked(self, head: Head, kind: str, run: Run, at: int, mark: Mark, client: bool, over: bool) -> int | None:
        """A body in chunks: as it is secret as a whole, it is overwritten chunk by chunk; sizes stay."""
        data, begin = run.data, at
        pieces: list[tuple[int, int]] = []
        done = False
        while match := _CHUNK.match(data, at):
            size = int(match[1], 16)
            at = match.end()
            if size == 0:
                done = True
                break
            pieces.append((at, min(at + size, len(data))))
            at += size + 2
            if at > len(data):
                break
        if not done and not over and len(data) - begin < _MOST_CHUNKED:
            return None
        body = b"".join(data[first:last] for first, last in pieces)
        if head.compressed:
            kind = COMPRESSED
        elif not kind and any(True for _ in words.find(body)):
            kind = "chunked message"
        if kind and not self._spared(body, kind, done):
            for first, last in pieces:
                mark(client, run.begin + first, run.begin + last, kind, data[first:last])
            if not done:
                mark(client, run.begin + max(at, begin), FOREVER, kind, b"")
        return max(at, begin)


def _plain(head: Head) -> bool:
    content = head.fields.get(b"content-type", b"text/plain").strip().lower()
    return content.startswith((b"text/plain", b"application/octet-stream"))


def _head(data: bytes) -> Head:
    first, *lines = data.split(b"\n")
    request = not first.startswith(b"HTTP/")
    parts = first.strip().split(None, 2)
    fields = {}
    for line in reversed(lines):
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    path = (parts[1] if len(parts) > 1 else b"").partition(b"?")[0]
    if b"://" in path:
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    status = int(parts[1]) if not request and len(parts) > 1 and parts[1].isdigit() else 0
    return Head(request, path, status, fields, request and _DOMU.search(data) is not None)
