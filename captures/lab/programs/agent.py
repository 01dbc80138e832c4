"""A KVM agent's link to the management server: TLS to port 8250, a start-up, then a ping now and then.

    python3 agent.py SERVER CA-BUNDLE SECONDS-BETWEEN-PINGS [TLS-VERSION]

Reconnects five seconds after a link that failed or ended, as the agent does (Agent.java). Runs until it is ended.
"""

import socket
import ssl
import sys
import time
from contextlib import suppress


def main() -> None:
    """Connect for ever."""
    server, bundle, every, *version = sys.argv[1:]
    context = ssl.create_default_context(cafile=bundle)
    if version:
        context.maximum_version = context.minimum_version = ssl.TLSVersion[version[0]]
    while True:
        with suppress(OSError):
            link(server, context, float(every))
        time.sleep(5)


def link(server: str, context: ssl.SSLContext, every: float) -> None:
    """One connection, until it ends."""
    with (
        socket.create_connection((server, 8250), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=server) as tls,
    ):
        tls.sendall(b"StartupRoutingCommand\n")
        while tls.recv(4096):
            time.sleep(every)
            tls.sendall(b"PingRoutingCommand\n")


if __name__ == "__main__":
    main()
