"""A small server that answers CloudStack API calls with responses of the recorded shape (4.20, admin account)."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ZONE = "3f0b4a5c-0f51-4b1c-9b53-0d8bb5b7a9f1"
NETWORK, VM = "5b6f1b72-7d0e-4a39-8a8f-2cf1d5b0a001", "9a4e8f10-3c52-4f1d-8c61-55aa00e10001"

ANSWERS: dict[str, dict[str, Any]] = {
    "listZones": {
        "count": 1,
        "zone": [{"id": ZONE, "name": "zone-1", "networktype": "Advanced", "securitygroupsenabled": False}],
    },
    "listNetworks": {
        "count": 3,
        "network": [
            {
                "id": NETWORK, "name": "web", "type": "Isolated", "cidr": "10.1.1.0/24", "gateway": "10.1.1.1",
                "broadcasturi": "vlan://1204", "vlan": "1204", "redundantrouter": True, "dns1": "10.1.1.1",
                "publicmtu": 1500, "privatemtu": 1450,
            },
            {
                "id": "n2", "name": "common", "type": "Shared", "cidr": "10.7.0.0/22", "gateway": "10.7.0.1",
                "broadcasturi": "vlan://untagged", "redundantrouter": False, "dns1": "192.0.2.53",
            },
            {"id": "n3", "name": "overlay", "type": "L2", "broadcasturi": "vxlan://5001"},
        ],
    },
    "listRouters": {
        "count": 2,
        "router": [
            {
                "name": "r-12-VM", "guestnetworkid": NETWORK, "guestipaddress": "10.1.1.1",
                "nic": [
                    {"macaddress": "02:01:00:CC:00:01", "ipaddress": "10.1.1.2"},
                    {"macaddress": "1e:00:6b:00:00:0a", "ipaddress": "203.0.113.40"},
                ],
            },
            {
                "name": "r-20-VM", "guestnetworkid": "n2", "guestipaddress": "10.7.0.9",
                "nic": [{"macaddress": "1e:00:6b:00:00:0b", "ipaddress": "10.7.0.9"}],
            },
        ],
    },
    "listVirtualMachines": {
        "count": 1,
        "virtualmachine": [
            {
                "id": VM, "name": "web one", "instancename": "i-2-34-VM", "osdisplayname": "Debian GNU/Linux 12",
                "nic": [
                    {
                        "macaddress": "02:01:00:cc:00:16", "ipaddress": "10.1.1.57", "isdefault": True,
                        "secondaryip": [{"id": "s", "ipaddress": "10.1.1.200"}],
                    }
                ],
            }
        ],
    },
    "listEvents": {"count": 1, "event": [{"type": "VM.RESETPASSWORD", "resourceid": VM}]},
    "listVlanIpRanges": {
        "count": 1,
        "vlaniprange": [
            {
                "forvirtualnetwork": True, "vlan": "vlan://30", "gateway": "203.0.113.1", "netmask": "255.255.255.0",
                "startip": "203.0.113.40", "endip": "203.0.113.90",
            }
        ],
    },
    "listSystemVms": {"count": 1, "systemvm": [{"name": "v-2-VM", "publicip": "203.0.113.45"}]},
    "listConfigurations": {},
    "listManagementServers": {"count": 1, "managementserver": [{"name": "ms1", "ipaddress": "192.168.10.5"}]},
    "listStorageNetworkIpRange": {},
}  # fmt: skip
SETTINGS = {
    "consoleproxy.url.domain": "*.console.example.com",
    "management.network.cidr": "192.168.10.0/24",
    "host": "192.168.10.4,192.168.10.5",
}


class _Handler(BaseHTTPRequestHandler):
    refused: frozenset[str] = frozenset()
    asked: list[dict[str, str]]

    def do_GET(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        self.asked.append(query)
        command = query.get("command", "")
        answer, status = dict(ANSWERS.get(command, {})), 200
        if command == "listConfigurations":
            value = SETTINGS[query["name"]]
            answer = {"count": 1, "configuration": [{"name": query["name"], "value": value}]}
        if int(query.get("page", 1)) > 1:
            answer = {}
        if command in self.refused or "signature" not in query:
            answer, status = {"uuidList": [], "errorcode": 432, "errortext": f"{command} is not allowed"}, 432
        body = json.dumps({f"{command.lower()}response": answer}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def api(*refused: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a running server on loopback, and the calls it was asked; ``refused`` ones get status 432."""
    asked: list[dict[str, str]] = []
    handler = type("Handler", (_Handler,), {"refused": frozenset(refused), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/client/api", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
