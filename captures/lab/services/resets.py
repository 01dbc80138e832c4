"""A server that reads a request and closes with a reset."""

import socket
import socketserver
import struct


class Resets(socketserver.BaseRequestHandler):
    """Reads once, then resets: with data unread or lingering off, the kernel sends RST in place of FIN."""

    request: socket.socket

    def handle(self) -> None:
        """One connection."""
        self.request.recv(16)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()
