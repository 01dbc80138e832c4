"""What a noVNC page does: a websocket to the console proxy. ``websocket.py HOST PORT [CA-BUNDLE]``."""

import base64
import os
import socket
import ssl
import sys
import time

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
deadline = time.monotonic() + 8
while time.monotonic() < deadline and stream.recv(16384):
    pass
stream.close()
