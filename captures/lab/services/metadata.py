"""Apache as on the virtual router: ``/latest/...`` is rewritten to a folder named after the client's address.

After ``systemvm/debian/var/www/html/latest/.htaccess`` and ``vmdata.py``: every folder admits its own address only.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from captures.lab.namespaces import until
from captures.lab.router import Router

_MODULES = "/usr/lib/apache2/modules"
_CONF = """
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
ServerName r-14-VM
ServerTokens Prod
ServerSignature Off
Listen {listen}:80
Mutex file:{folder}
User www-data
Group www-data
StartServers 1
MinSpareServers 1
{modules}
TypesConfig /etc/mime.types
DocumentRoot {folder}/html
<Directory {folder}/html>
    AllowOverride All
    Require all granted
</Directory>
"""
_LOADED = ("mpm_prefork", "authn_core", "authz_core", "authz_host", "dir", "mime", "rewrite")
_LATEST = r"""
Options +FollowSymLinks
RewriteEngine On
RewriteRule ^user-data/?$ ../userdata/%{REMOTE_ADDR}/user-data [L,NC,QSA]
RewriteRule ^meta-data/?$ ../metadata/%{REMOTE_ADDR}/meta-data [L,NC,QSA]
RewriteRule ^meta-data/(.+[^/])/?$ ../metadata/%{REMOTE_ADDR}/$1 [L,NC,QSA]
RewriteRule ^([a-z0-9-]+)/?$ ../metadata/%{REMOTE_ADDR}/$1 [L,NC,QSA]
"""


class Metadata:
    """The data of a router's guests, and the Apache that serves it."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._folder = router.lab.folder / f"{router.ns.name}-apache"
        self._html = self._folder / "html"
        self._put("latest/.htaccess", _LATEST)

    def add(self, ip: str, keys: Mapping[str, str], user_data: str | None = None) -> None:
        """Store what CloudStack would send to the router for the NIC with this address."""
        for key, value in keys.items():
            self._put(f"metadata/{ip}/{key}", value)
        self._put(f"metadata/{ip}/meta-data", "\n".join(keys))
        self._put(f"metadata/{ip}/.htaccess", f"Require ip {ip}\n")
        if user_data is not None:
            self._put(f"userdata/{ip}/user-data", user_data)
            self._put(f"userdata/{ip}/.htaccess", f"Require ip {ip}\n")

    def restrict(self, ip: str, directives: str) -> None:
        """Overwrite the access file of an address's folder."""
        self._put(f"metadata/{ip}/.htaccess", directives)

    def serve(self) -> None:
        """Start Apache and wait until it runs."""
        modules = "\n".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in _LOADED)
        text = _CONF.format(folder=self._folder, modules=modules, listen=self._router.ip)
        conf = self._router.lab.file(f"{self._folder.name}/apache2.conf", text)
        for folder, _, _ in os.walk(self._folder):
            Path(folder).chmod(0o755)
        self._router.ns.spawn("apache2", "-f", str(conf), "-DFOREGROUND")
        until((self._folder / "pid").exists, "Apache runs")

    def _put(self, name: str, text: str) -> Path:
        return self._router.lab.file(f"{self._folder.name}/html/{name}", text)


def keys(number: int, ip: str, name: str, ssh_key: str | None) -> dict[str, str]:
    """The keys CloudStack sends for an instance."""
    out = {
        "availability-zone": "zone-fra-1",
        "cloud-identifier": "CloudStack-{8e3f1c52-6b0e-4d0c-9d5e-3d9c5a3f0f11}",
        "instance-id": f"5f9d2c1e-0b7a-4c57-9a1d-{number:012x}",
        "local-hostname": name,
        "local-ipv4": ip,
        "public-hostname": "203.0.113.77",
        "public-ipv4": "203.0.113.77",
        "service-offering": "Small Instance",
        "vm-id": f"5f9d2c1e-0b7a-4c57-9a1d-{number:012x}",
    }
    return out if ssh_key is None else out | {"public-keys": ssh_key}
