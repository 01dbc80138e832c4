"""The password server in its generations, each with the bytes it puts on the wire.

After ``systemvm/debian/opt/cloud/bin/passwd_server_ip.py`` and, before it, ``serve_password.sh`` behind socat.
"""

import socketserver
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Literal

from captures.lab.cloud import Machine
from captures.lab.namespaces import until

Generation = Literal["G1", "G2", "G3", "G4"]
PORT = 8080
_G1 = """#!/bin/bash
# socat gives the client's address; the store has lines IP=PASSWORD.
sleep {delay}
{lock}
while read -r line; do
    line=${{line%$'\\r'}}
    [ -z "$line" ] && break
    case "$line" in DomU_Request:*) request=${{line#*: }} ;; esac
done
printf 'HTTP/1.0 200 OK\\r\\nDocumentType: text/plain\\r\\n\\r\\n'
password=$(sed -n "s/^$1=//p" {store})
case "$request" in
send_my_password) echo "${{password:-saved_password}}" ;;
saved_password) sed -i "s/^$1=.*/$1=saved_password/" {store}; echo saved_password ;;
*) echo bad_request ;;
esac
"""


def start(
    machine: Machine,
    passwords: Mapping[str, str],
    generation: Generation = "G4",
    *,
    ip: str = "",
    keeps: bool = False,
    only_keyword: bytes | None = None,
    delay: float = 0,
) -> None:
    """Serve passwords by client address on port 8080 of ``ip``, or of every address of the machine.

    ``keeps``: acknowledgements are answered and forgotten, as with a store that cannot be written. ``only_keyword``:
    every request is answered with this body. ``delay``: seconds that G1 waits before it answers.
    """
    if generation == "G1":
        _socat(machine, passwords, ip, delay)
        return
    store = dict(passwords)
    respond = _responder(store, keeps) if only_keyword is None else lambda _client, _request: only_keyword
    handler = _Python2 if generation == "G2" else _Python3Text if generation == "G3" else _Python3
    serve(machine, type(handler.__name__, (handler,), {"respond": staticmethod(respond)}), PORT, ip)


def start_locked(machine: Machine, delay: float) -> None:
    """G1 whose global lock is never free: accept, wait, close without a byte."""
    _socat(machine, {}, "", delay, "exit 1")


def serve(machine: Machine, handler: type[socketserver.BaseRequestHandler], port: int, ip: str = "") -> None:
    """Run a threading TCP server on a socket of the machine until the scenario ends."""
    with machine.ns.inside():
        server = _Server((ip, port), handler)
    machine.lab.closing(server.server_close)
    machine.lab.closing(server.shutdown)
    machine.lab.thread(lambda: server.serve_forever(0.1))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A handler that dies is a fault on purpose; its traceback would go to the console."""


class _Handler(BaseHTTPRequestHandler):
    """What all Python generations share: server name, headers, silence on the console."""

    server_version = "CloudStack Password Server"
    sys_version = "4.x"
    respond: Callable[[str, str | None], bytes]

    def log_message(self, format: str, *args: object) -> None:
        """The real one logs to syslog."""

    def reply(self) -> bytes:
        """The body for this request."""
        return type(self).respond(self.client_address[0], self.headers.get("DomU_Request"))


class Refusing(BaseHTTPRequestHandler):
    """A web proxy that lets nobody through."""

    server_version, sys_version = "squid/5.7", ""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""

    def do_GET(self) -> None:
        """Refuses everything, as a proxy does that admits nobody."""
        self.send_error(403)


class _Python3(_Handler):
    """G4: bytes are written."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("Server", "CloudStack Password Server")
        self.end_headers()
        self.wfile.write(self.reply())

    def do_POST(self) -> None:
        """To save a password from anywhere but the router itself: headers, and nothing of the 403 that was meant."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()


class _Python3Text(_Python3):
    """G3: text is written where bytes are needed, the handler dies after the headers."""

    def reply(self) -> bytes:
        raise TypeError("a bytes-like object is required, not 'str'")


class _Python2(_Handler):
    """G2: Python 2 wrote the status line and every header with a call of its own, and a 400 into the body."""

    def do_GET(self) -> None:
        body = self.reply()
        self._status("200 OK")
        self.wfile.write(b"content-type: text/plain\r\n")
        self.wfile.write(b"Server: CloudStack Password Server\r\n")
        self.wfile.write(b"\r\n")
        if body == b"bad_request":
            self._status("400 Bad Request")
        self.wfile.write(body)

    def _status(self, status: str) -> None:
        self.wfile.write(f"HTTP/1.0 {status}\r\n".encode())
        self.wfile.write(f"Server: {self.version_string()}\r\n".encode())
        self.wfile.write(f"Date: {formatdate(usegmt=True)}\r\n".encode())


def _responder(store: dict[str, str], keeps: bool) -> Callable[[str, str | None], bytes]:
    def respond(client: str, request: str | None) -> bytes:
        if request == "send_my_password":
            return store.get(client, "saved_password").encode()
        if request == "saved_password":
            if not keeps:
                store.pop(client, None)
            return b"saved_password"
        return b"bad_request"

    return respond


def _socat(machine: Machine, passwords: Mapping[str, str], ip: str, delay: float = 0, lock: str = "") -> None:
    folder = machine.ns.name
    store = machine.lab.file(f"{folder}/passwords", "".join(f"{ip}={text}\n" for ip, text in passwords.items()))
    script = machine.lab.file(f"{folder}/serve_password.sh", _G1.format(store=store, delay=delay, lock=lock))
    script.chmod(0o755)
    bind = f",bind={ip}" if ip else ""
    machine.ns.spawn("socat", f"TCP4-LISTEN:{PORT},reuseaddr,fork{bind}", f"SYSTEM:{script} $SOCAT_PEERADDR")
    until(lambda: _listens(machine), f"{machine.label} listens on {PORT}")


def _listens(machine: Machine) -> bool:
    with machine.ns.inside():
        return f":{PORT:04X} " in Path("/proc/thread-self/net/tcp").read_text()
