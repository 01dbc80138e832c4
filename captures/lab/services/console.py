"""The console proxy's public side: the noVNC page on 80 or 443 and the websocket on 8080 or 8443.

After ``ConsoleProxyNoVNCServer.java`` (websocket) and ``SSLUtils.java`` (443 offers TLS 1.2 at most; the websocket's
Jetty follows the JVM and offers TLS 1.3).
"""

import base64
import hashlib
import socket
import socketserver
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Literal

from captures.lab.cloud import Machine
from captures.lab.services import vnc
from captures.lab.services.password import serve

_PAGE = b"<!DOCTYPE html><html><head><title>Console</title></head><body>" + b"<!-- noVNC -->" * 150 + b"</body></html>"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def start(
    machine: Machine,
    port: int,
    pem: Path | None = None,
    *,
    ip: str = "",
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ciphers: str = "",
    websocket: Literal["works", "dies", "404"] = "works",
    screen: tuple[str, int] | None = None,
    patience_s: float = 0,
) -> None:
    """Serve the page and the websocket on a port, with TLS where there is a PEM file of key and chain.

    The websocket shows the VNC server at ``screen``, or a picture of its own, and ends with it; with ``patience_s`` it
    goes on, answers what the user does with another picture, and ends the session when he does nothing for so long.
    """
    site = type(
        "Console", (_Console,), {"machine": machine, "websocket": websocket, "screen": screen, "patience_s": patience_s}
    )
    if pem is None:
        serve(machine, site, port, ip)
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, newest
    if ciphers:
        context.set_ciphers(ciphers)
    context.load_cert_chain(pem)
    serve(machine, type("Tls", (_Tls,), {"context": context, "site": site}), port, ip)


class _Console(BaseHTTPRequestHandler):
    """The page, and a websocket that shows a screen for six seconds."""

    server_version = "Jetty(9.4.51.v20230217)"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # what is no HTTP at all gets a whole answer, 400, as from Java's servers
    machine: Machine
    websocket: Literal["works", "dies", "404"]
    screen: tuple[str, int] | None
    patience_s: float

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the console."""

    def do_GET(self) -> None:
        if self.path.startswith("/websockify"):
            self._websocket()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def _websocket(self) -> None:
        if self.websocket == "404":
            self.send_error(404)
            return
        digest = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + _GUID.encode()).digest()
        self.send_response(101, "Switching Protocols")
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()
        self.close_connection = True
        if self.websocket == "dies":
            return
        with suppress(OSError):
            for picture in self._pictures():
                self._show(picture)
            if self.patience_s:
                self.connection.settimeout(self.patience_s)
                while self.connection.recv(4096):
                    self._show(bytes(range(240)) * 10)

    def _show(self, picture: bytes) -> None:
        self.wfile.write(b"\x82\x7e" + struct.pack("!H", len(picture)) + picture)

    def _pictures(self) -> Iterator[bytes]:
        """What the VNC server shows, or six pictures, one a second."""
        if self.screen is None:
            for _ in range(6):
                yield bytes(range(240)) * 10
                time.sleep(1)
            return
        with vnc.connect(self.machine, self.screen) as stream:
            while picture := stream.recv(4800):
                yield picture


class _Tls(socketserver.BaseRequestHandler):
    """TLS, then the same; a handshake that the client ends is no error of ours."""

    context: ssl.SSLContext
    site: type[_Console]
    request: socket.socket

    def handle(self) -> None:
        """One connection."""
        self.request.settimeout(20)
        with suppress(OSError):
            if not self.request.recv(1, socket.MSG_PEEK):
                return  # OpenSSL would answer a client that goes without a word with an alert, Java does not
        with suppress(OSError), self.context.wrap_socket(self.request, server_side=True) as secured:
            secured.settimeout(20)
            self.site(secured, self.client_address, self.server)
            with suppress(OSError):
                secured.unwrap()
