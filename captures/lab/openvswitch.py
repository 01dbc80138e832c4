"""Open vSwitch with its userspace datapath: VLAN trunks without any kernel module.

Each instance has its own database and daemons in the namespace it switches for, ended by process with the scenario.
"""

import signal
import subprocess
import time

from captures.lab.namespaces import Namespace, Workspace, command, end, until

_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class OpenVSwitch:
    """A switch, or the OVS of a host, in a namespace."""

    def __init__(self, lab: Workspace, where: Namespace) -> None:
        self.ns = where
        self._folder = lab.folder / f"{where.name}-ovs"
        self._folder.mkdir()
        database, socket = self._folder / "conf.db", self._folder / "db.sock"
        self._env = {"OVS_RUNDIR": str(self._folder), "OVS_LOGDIR": str(self._folder), "OVS_DBDIR": str(self._folder)}
        self._socket = f"unix:{socket}"
        command("ovsdb-tool", "create", str(database), _SCHEMA)
        where.spawn("ovsdb-server", str(database), f"--remote=p{self._socket}", "-vconsole:off", env=self._env)
        until(socket.exists, "ovsdb-server listens")
        self.vsctl("--no-wait", "init")
        self._daemon = self._start()
        until(lambda: list(self._folder.glob("ovs-vswitchd.*.ctl")), "ovs-vswitchd runs")

    def _start(self) -> subprocess.Popen[str]:
        return self.ns.spawn("ovs-vswitchd", self._socket, "-vconsole:off", "--pidfile", env=self._env)

    def restart(self, seconds: float) -> None:
        """Kill the switch, and start it again so much later."""
        end(self._daemon, signal.SIGKILL)
        time.sleep(seconds)
        self._daemon = self._start()

    def vsctl(self, *words: str) -> None:
        """Run ``ovs-vsctl`` against this instance and wait until it is done."""
        self.ns.run("ovs-vsctl", f"--db={self._socket}", "--timeout=10", *words, env=self._env)

    def bridge(self, name: str, *settings: str) -> str:
        """Add a bridge; ``settings`` are columns such as ``fail_mode=secure``."""
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", *settings)
        self.ns.ip("link", "set", name, "up")
        return name

    def port(self, bridge: str, port: str, *settings: str) -> None:
        """Plug an interface in; ``settings`` are columns such as ``tag=101`` (access) or ``trunks=101,317``."""
        self.vsctl("add-port", bridge, port, *settings)

    def change(self, port: str, *settings: str) -> None:
        """Change columns of a port while it runs."""
        self.vsctl("set", "port", port, *settings)

    def remove(self, bridge: str, port: str) -> None:
        """Unplug an interface."""
        self.vsctl("del-port", bridge, port)

    def flow(self, bridge: str, flow: str) -> None:
        """Add an OpenFlow rule."""
        self.ns.run("ovs-ofctl", "add-flow", f"unix:{self._folder}/{bridge}.mgmt", flow, env=self._env)
