"""Storage servers and clients in user space: NFS by nfs-ganesha, rpcbind and libnfs, iSCSI by tgt and libiscsi."""

import time

from captures.lab.cloud import Machine
from captures.lab.namespaces import until

EXPORT = "/export/primary"
_CONFIGURATION = """
NFS_CORE_PARAM {{ Protocols = 3, 4; MNT_Port = {mount_port}; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSv4 {{ Graceless = true; Only_Numeric_Owners = true; }}
EXPORT {{
    Export_Id = 1; Path = {path}; Pseudo = {path}; Access_Type = None; Squash = none; SecType = sys;
    Transports = UDP, TCP; Protocols = 3, 4;
    FSAL {{ Name = MEM; }}
    CLIENT {{ Clients = {clients}; Access_Type = RW; }}
}}
"""


def nfs_server(machine: Machine, clients: str, *, path: str = EXPORT, mount_port: int = 20048) -> None:
    """Start rpcbind and nfs-ganesha, which lets these clients (addresses, networks) mount ``path``."""
    text = _CONFIGURATION.format(path=path, clients=clients, mount_port=mount_port)
    configuration = machine.lab.file(f"{machine.label}-ganesha.conf", text)
    log = machine.lab.folder / f"{machine.label}-ganesha.log"
    start = (
        "mount -t tmpfs none /run && mkdir -p /run/ganesha /run/rpcbind && "
        f"{{ rpcbind -f -w & sleep 0.5; exec ganesha.nfsd -F -f {configuration} -L {log} -p /run/ganesha.pid; }}"
    )
    machine.ns.spawn("sh", "-c", start)
    until(lambda: log.exists() and "NFS SERVER INITIALIZED" in log.read_text(errors="replace"), "nfs-ganesha runs", 30)
    time.sleep(0.5)


def nfs(machine: Machine, program: str, *words: str) -> None:
    """Run one of libnfs's programs (``nfs-ls``, ``nfs-cp``, ``nfs-cat``), whatever comes of it."""
    machine.ns.run(program, *words, check=False, seconds=8)


def url(server: str, path: str = EXPORT, version: int = 3) -> str:
    """How those programs name a place."""
    return f"nfs://{server}{path}?version={version}"


TARGET = "iqn.2026-01.com.example:primary"


def iscsi_target(machine: Machine, initiator: str, account: tuple[str, str] | None = None) -> None:
    """Start tgt with one target and one LUN, for the initiator of this name only, with this user and CHAP secret."""
    disk = machine.lab.file(f"{machine.label}.img", bytes(1 << 20))
    socket = machine.lab.folder / f"{machine.label}-tgtd"
    env = {"TGT_IPC_SOCKET": str(socket)}
    machine.ns.spawn("tgtd", "-f", "--iscsi", "portal=0.0.0.0:3260", env=env)
    until(lambda: machine.ns.run("ss", "-Hltn", "sport = :3260").stdout, "tgtd listens")
    tell = ("tgtadm", "--lld", "iscsi", "--mode")
    chap: tuple[tuple[str, ...], ...] = ()
    if account is not None:
        user, secret = account
        chap = (
            ("account", "--op", "new", "--user", user, "--password", secret),
            ("account", "--op", "bind", "--tid", "1", "--user", user),
        )
    for words in (
        ("target", "--op", "new", "--tid", "1", "-T", TARGET),
        ("logicalunit", "--op", "new", "--tid", "1", "--lun", "1", "-b", str(disk)),
        ("target", "--op", "bind", "--tid", "1", "--initiator-name", initiator),
        *chap,
    ):
        machine.ns.run(*tell, *words, env=env)


def iscsi(machine: Machine, server: str, initiator: str, account: str = "") -> None:
    """Log in to the target (as ``user%secret``) and ask for its first LUN, whatever comes of it."""
    target = f"iscsi://{account}{'@' if account else ''}{server}/{TARGET}/1"
    machine.ns.run("iscsi-inq", "-i", initiator, target, check=False, seconds=8)
