"""A TCP forwarder before a server: breaks connections where it is told to, or speaks TLS to the client."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Break:
    """Where connections break."""

    request: bytes
    """What the client must have sent on the connection before."""
    after: int | None
    """So many bytes after that; None for when the server begins to answer, its answer is lost then."""
    times: int = 1
    action: Callable[[], None] | None = None
    """What else happens then."""
    stall: bool = False
    """An answer that is lost leaves the connection open: the client waits for it."""
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Connection:
    def __init__(self, client: socket.socket, port: int, broken: Break | None) -> None:
        self._client, self._broken = client, broken
        self._server = socket.create_connection(("127.0.0.1", port))
        self._seen = b""
        self._room: int | None = None
        self._mute = False
        self._stalled = threading.Event()

    def run(self) -> None:
        back = threading.Thread(target=self._back, daemon=True)
        back.start()
        with suppress(OSError):
            while data := self._client.recv(65536):
                if not self._forth(data):
                    break
        self._stalled.set()
        with suppress(OSError):
            # what is on its way to the server arrives there, whatever became of the client
            self._server.shutdown(socket.SHUT_WR)
        back.join(60)
        self._close()

    def _forth(self, data: bytes) -> bool:
        """Hands on, up to where it breaks."""
        broken = self._broken
        if broken is not None and self._room is None and not self._mute and broken.done < broken.times:
            self._seen = (self._seen + data)[-65536 - len(broken.request) :]
            if (at := self._seen.find(broken.request)) >= 0:
                if broken.after is None:
                    self._mute = True
                else:
                    self._room = broken.after + len(broken.request) - (len(self._seen) - at) + len(data)
        if self._room is not None and broken is not None:
            data = data[: max(self._room, 0)]
            self._room -= len(data)
            self._server.sendall(data)
            if self._room <= 0:
                if broken.action is not None:
                    broken.action()
                with broken.lock:
                    broken.done += 1
                self._close()
                return False
            return True
        self._server.sendall(data)
        return True

    def _back(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65536):
                if self._mute and self._broken is not None and not data.startswith(b"HTTP/1.1 100"):
                    with self._broken.lock:
                        self._broken.done += 1
                    if self._broken.stall:
                        self._stalled.wait(60)
                    break
                self._client.sendall(data)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        for one in (self._client, self._server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def relay(port: int, broken: Break | None = None, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a forwarder to ``port``."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve(client: socket.socket) -> None:
        try:
            if tls is not None:
                client = tls.wrap_socket(client, server_side=True)
            _Connection(client, port, broken).run()
        except OSError:
            client.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if stopped.is_set():
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stopped.set()
        with suppress(OSError), socket.create_connection(listener.getsockname(), timeout=2):
            pass
        thread.join(5)
        listener.close()
