"""What a noVNC page does: a websocket to the console proxy. ``websocket.py HOST PORT [CA-BUNDLE]``.

The user looks at it for eight seconds. With the variable ``KEYS`` (``1,200``) he presses Enter so many seconds after
it was opened, and looks for five seconds more, or until the proxy ends it.
"""

import base64
import os
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress

HOST, PORT, *BUNDLE = sys.argv[1:]
plain = socket.create_connection((HOST, int(PORT)), timeout=20)
stream: socket.socket = plain
if BUNDLE:
    context = ssl.create_default_context(cafile=BUNDLE[0])
    stream = context.wrap_socket(plain, server_hostname=HOST)
key = base64.b64encode(os.urandom(16)).decode()
request = (
    f"GET /websockify?token=Zx9-lab-token-console HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nUpgrade: websocket\r\n"
    f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
    f"Origin: https://{HOST}\r\nSec-WebSocket-Protocol: binary\r\n\r\n"
)
stream.sendall(request.encode())
keys = [float(word) for word in os.environ.get("KEYS", "").split(",") if word]
opened = time.monotonic()
deadline = opened + (keys[-1] + 5 if keys else 8)


def press() -> None:
    """Press and release Enter at each of the times: two KeyEvents of RFB, masked as a browser must."""
    for at in keys:
        time.sleep(max(opened + at - time.monotonic(), 0))
        mask = os.urandom(4)
        events = b"".join(bytes((4, down, 0, 0, 0, 0, 0xFF, 0x0D)) for down in (1, 0))
        stream.sendall(b"\x82\x90" + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(events)))


if keys:
    threading.Thread(target=press, daemon=True).start()
with suppress(TimeoutError):
    while (left := deadline - time.monotonic()) > 0:
        stream.settimeout(left)
        if not stream.recv(16384):
            break
stream.close()
