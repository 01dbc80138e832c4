"""The requests of cloud-init's CloudStack datasource, in its order: for guests of the lab.

After ``cloudinit/sources/DataSourceCloudStack.py``: find the server (name ``data-server``, else what the lease or the
command line says), wait for ``instance-id``, then user-data, meta-data key by key, and the password.
"""

import argparse
import http.client
import socket
import subprocess
import sys
import time
from contextlib import suppress

AGENT = {
    "User-Agent": "Cloud-Init/24.4.1",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
}


def get(server: str, path: str, seconds: float) -> tuple[int, str]:
    """Status and text of one request on a connection of its own."""
    connection = http.client.HTTPConnection(server, 80, timeout=seconds)
    try:
        connection.request("GET", path, headers=AGENT)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def wait_for_data(server: str, patience: float, seconds: float) -> bool:
    """Ask for instance-id until it is there or patience ends; the pause grows from one second."""
    started, pause = time.monotonic(), 1
    while time.monotonic() - started < patience:
        with suppress(OSError, http.client.HTTPException):
            if get(server, "/latest/meta-data/instance-id", seconds)[0] == 200:
                return True
        time.sleep(min(pause, max(0.0, patience - (time.monotonic() - started))))
        pause += 1
    return False


def crawl(server: str) -> None:
    """Fetch user-data and every key; a key that is missing is no reason to stop."""
    get(server, "/latest/user-data", 50)
    status, listing = get(server, "/latest/meta-data/", 50)
    for key in listing.split() if status == 200 else []:
        get(server, f"/latest/meta-data/{key}", 50)


def password(server: str) -> None:
    """Fetch the password with wget, as cloud-init does, and acknowledge it at once."""
    url = f"http://{server}:8080/"
    wget = ["wget", "--quiet", "--tries", "3", "--timeout", "20", "--output-document", "-"]
    text = subprocess.run([*wget, "--header", "DomU_Request: send_my_password", url], capture_output=True, check=False)
    if text.stdout.strip() not in (b"", b"saved_password", b"bad_request"):
        subprocess.run([*wget, "--header", "DomU_Request: saved_password", url], capture_output=True, check=False)


def main() -> int:
    """Run the datasource once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fallback", help="server of the lease, when data-server has no address")
    parser.add_argument("--patience", type=float, default=120)
    parser.add_argument("--timeout", type=float, default=50)
    parser.add_argument("--no-password", action="store_true")
    options = parser.parse_args()
    server = options.fallback
    with suppress(OSError):
        server = socket.getaddrinfo("data-server", 80, proto=socket.IPPROTO_TCP)[0][4][0]
    if not server or not wait_for_data(server, options.patience, options.timeout):
        return 1
    crawl(server)
    if not options.no_password:
        password(server)
    return 0


if __name__ == "__main__":
    sys.exit(main())
