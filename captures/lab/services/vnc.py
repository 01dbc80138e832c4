"""The VNC leg behind the console proxy: a hypervisor's VNC server, and the proxy's side of the handshake (RFC 6143)."""

import os
import socket
import socketserver
import struct
import time
from contextlib import suppress

from captures.lab.cloud import Machine
from captures.lab.services.password import serve

_VERSION = b"RFB 003.008\n"
_VNC_AUTHENTICATION = 2
VENCRYPT = 19


def start(host: Machine, port: int, *, accepts: bool = True, offers: tuple[int, ...] = (_VNC_AUTHENTICATION,)) -> None:
    """Serve one instance's screen on a port of the hypervisor; every password is right, or none.

    ``offers`` are the security types it lets clients choose from.
    """
    serve(host, type("Vnc", (_Vnc,), {"accepts": accepts, "offers": offers}), port)


def connect(machine: Machine, address: tuple[str, int]) -> socket.socket:
    """The proxy's side: a connection on which the screen comes, or `OSError` where there is none."""
    with machine.ns.inside():
        stream = socket.socket()
    stream.settimeout(8)
    try:
        stream.connect(address)
        stream.recv(12)
        stream.sendall(_VERSION)
        if _VNC_AUTHENTICATION not in stream.recv(16)[1:]:
            raise ConnectionRefusedError("no security type that this proxy speaks")
        stream.sendall(bytes([_VNC_AUTHENTICATION]))
        stream.recv(16)
        stream.sendall(os.urandom(16))
        if stream.recv(4) != bytes(4):
            raise ConnectionRefusedError("the VNC password is wrong")
        stream.sendall(b"\x01")
    except OSError:
        stream.close()
        raise
    return stream


class _Vnc(socketserver.BaseRequestHandler):
    """Version, security type, challenge, result, and six seconds of screen."""

    accepts: bool
    offers: tuple[int, ...]
    request: socket.socket

    def handle(self) -> None:
        """One connection."""
        self.request.settimeout(8)
        with suppress(OSError):
            self.request.sendall(_VERSION)
            self.request.recv(12)
            self.request.sendall(bytes([len(self.offers), *self.offers]))
            if not self.request.recv(1):
                return
            self.request.sendall(os.urandom(16))
            self.request.recv(16)
            if not self.accepts:
                reason = b"Authentication failed"
                self.request.sendall(struct.pack("!II", 1, len(reason)) + reason)
                return
            self.request.sendall(bytes(4))
            for _ in range(6):
                self.request.sendall(bytes(range(240)) * 10)
                time.sleep(1)
