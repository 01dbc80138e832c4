"""What this installation can do: the answers of ``pcapdx doctor``."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator

from pcapdx import __version__
from pcapdx.live.child import tool
from pcapdx.plugins import Plugins
from pcapdx.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line."""

    what: str
    ok: bool
    detail: str
    needed: bool = False
    """Without it ``analyze`` does not work."""


_PACKAGES = (
    ("numba", "large captures"),
    ("isal", "faster gzip"),
    ("zstandard", "zstd captures"),
    ("lz4", "lz4 captures"),
    ("cryptography", "certificates"),
    ("service-identity", "certificate names"),
    ("h11", "HTTP"),
    ("jinja2", "HTML reports"),
    ("matplotlib", "time lines"),
    ("pyshark", "analyze --decode"),
    ("rt", "attach to Request Tracker"),
    ("python-redmine", "attach to Redmine"),
    ("jira", "attach to Jira"),
    ("keyring", "credentials of trackers from the keyring"),
    ("scapy", "live capture where neither tcpdump nor dumpcap is installed"),
)


def checks(plugins: Plugins) -> Iterator[Check]:
    """Every check, in the order to read them."""
    yield Check(what="pcapdx", ok=True, detail=f"{__version__}, Python {platform.python_version()}, {sys.platform}")
    rules, dissectors = len(plugins.rules), len(plugins.dissectors)
    loaded = f"{rules} rules and {dissectors} dissectors from {', '.join(plugins.packs) or 'nowhere'}"
    yield Check(what="packs", ok=bool(rules and dissectors), detail=loaded, needed=True)
    for error in plugins.errors:
        yield Check(what="pack", ok=False, detail=f"{error.plugin}: {error.what}")
    for name, purpose in _PACKAGES:
        try:
            yield Check(what=name, ok=True, detail=f"{importlib.metadata.version(name)}: {purpose}")
        except importlib.metadata.PackageNotFoundError:
            yield Check(what=name, ok=False, detail=f"not installed: {purpose}")
    for program, purpose in (("tshark", "analyze --decode"), ("tcpdump", "live capture"), ("dumpcap", "live capture")):
        path = shutil.which(program)
        yield Check(what=program, ok=path is not None, detail=f"{path or 'not installed'}: {purpose}")
    rights = "" if os.geteuid() == 0 else "; this user needs root, or the right to capture given to that program"
    yield Check(what="live capture", ok=True, detail=f"would use {tool()}{rights}")
