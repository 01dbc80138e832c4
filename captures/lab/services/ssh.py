"""OpenSSH's daemon, on any port, and a client that only reads its keys."""

from captures.lab.cloud import Machine
from captures.lab.namespaces import command, until


def sshd(machine: Machine, port: int, *, image: str = "") -> None:
    """Start sshd with a host key of its own, or with the one that is part of an ``image``."""
    key = machine.lab.folder / f"{image or machine.label}-host-key"
    if not key.exists():
        command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    start = f"mkdir -p /run/sshd; exec /usr/sbin/sshd -D -e -f /dev/null -p {port} -h {key} -o PidFile=none"
    machine.ns.spawn("sh", "-c", start)
    until(lambda: machine.ns.run("ss", "-Hltn", f"sport = :{port}").stdout, "sshd listens")


def key_scan(machine: Machine, server: str, port: int) -> None:
    """Connect and read the host key, whatever comes of it."""
    machine.ns.run("ssh-keyscan", "-T", "3", "-p", str(port), "-t", "ed25519", server, check=False, seconds=6)
