"""Mounts that the storage server answers: granted or not."""

from captures.lab.cloud import Machine
from captures.lab.management import Management
from captures.lab.post import pcapng
from captures.lab.scenario import Lab, scenario
from captures.lab.services.storage import nfs, nfs_server, url


def _pod(lab: Lab, prefix: str, host: int, clients: str) -> tuple[Management, Machine, Machine]:
    pod = Management(lab, prefix=prefix)
    client = pod.machine(f"b8:59:9f:00:02:{host:02x}", "kvm1", host)
    nas = pod.machine("00:a0:98:00:02:30", "nas1", 30)
    nfs_server(nas, clients)
    return pod, client, nas


@scenario
def host_nfs_export_denied(lab: Lab) -> None:
    """A host that was added last week is missing in the export's list of clients: the portmapper answers, MOUNT says
    "permission denied", three times."""
    pod, host, _ = _pod(lab, "192.168.45", 45, "192.168.45.11")
    with lab.record(*pod.at(host)):
        for _ in range(3):
            nfs(host, "nfs-ls", url("192.168.45.30"))
    lab.shows("mount.status == 13", 3)
    lab.fault("HOST008", "mount.status == 13", server="192.168.45.30")


@scenario
def host_nfs_export_denied_nfs4(lab: Lab) -> None:
    """As host-nfs-export-denied, for a secondary storage VM that mounts by NFS version 4: to a client that may not
    mount it, the export does not exist. Recorded on the label bridge, role not told."""
    pod = Management(lab, prefix="10.211.0", first_tap=5)
    ssvm = pod.machine("1e:00:31:00:00:51", "s-7-VM", 51)
    nas = pod.machine("00:a0:98:00:02:31", "nas1", 30)
    nfs_server(nas, "10.211.0.11")
    with lab.record(*pod.at_bridge, told=False, steps=(pcapng,), compress="gz"):
        for _ in range(2):
            nfs(ssvm, "nfs-ls", url("10.211.0.30", version=4))
    lab.shows("nfs.nfsstat4 == 2", 2)
    lab.fault("HOST008", "nfs.nfsstat4 == 2", server="10.211.0.30")


@scenario
def host_nfs_path_misspelt(lab: Lab) -> None:
    """The path of the primary storage was typed wrong, and MOUNT refuses it. Recorded at the storage server."""
    pod, host, nas = _pod(lab, "192.168.46", 46, "192.168.46.0/24")
    with lab.record(*pod.at(nas), compress="zst"):
        nfs(host, "nfs-ls", url("192.168.46.30", "/export/primry"))
    lab.shows("mount.status != 0", 1)
    lab.fault("HOST008", "mount.status != 0", server="192.168.46.30")


@scenario
def host_nfs_works(lab: Lab) -> None:
    """A host mounts its storage by NFS version 3 and 4, writes a file, and asks for one that is not there. Healthy."""
    pod, host, _ = _pod(lab, "192.168.47", 47, "192.168.47.0/24")
    file = lab.file("disk.qcow2", b"\0" * 200_000)
    with lab.record(*pod.at(host), told=False):
        for version in (3, 4):
            place = url("192.168.47.30", version=version)
            nfs(host, "nfs-ls", place)
            nfs(host, "nfs-cp", str(file), url("192.168.47.30", f"/export/primary/disk{version}", version))
            nfs(host, "nfs-cat", url("192.168.47.30", "/export/primary/missing", version))
    lab.shows("mount.status == 0", 1)
    lab.shows("nfs.status3 == 2 || nfs.nfsstat4 == 2", 1)


@scenario
def host_nfs_granted_after_a_while(lab: Lab) -> None:
    """A host is refused at first; the administrator adds it to the export, and its next mount is granted. By the end
    no fault."""
    pod = Management(lab, prefix="192.168.48")
    host = pod.machine("b8:59:9f:00:02:48", "kvm1", 48)
    nas = pod.machine("00:a0:98:00:02:32", "nas1", 30)
    other = pod.machine("00:a0:98:00:02:33", "nas2", 31)
    nfs_server(nas, "192.168.48.11")
    with lab.record(*pod.at(host)):
        nfs(host, "nfs-ls", url("192.168.48.30"))
        nas.ns.ip("link", "set", "eth0", "down")
        other.ns.ip("link", "set", "eth0", "down")
        other.ns.ip("link", "set", "eth0", "address", nas.mac)
        other.ns.ip("link", "set", "eth0", "up")
        other.address("192.168.48.30", 24)
        nfs_server(other, "192.168.48.0/24")
        nfs(host, "nfs-ls", url("192.168.48.30"))
    lab.shows("mount.status == 13", 1)
    lab.shows("mount.status == 0", 1)
    lab.info("HOST008", server="192.168.48.30")


@scenario
def host_nfs_file_forbidden(lab: Lab) -> None:
    """A host mounts its storage and may not read a file there as a user of no rights: a matter of file permissions, not
    of the export. Recorded at the storage server."""
    pod, host, nas = _pod(lab, "192.168.49", 49, "192.168.49.0/24")
    file = lab.file("disk.qcow2", b"\0" * 3000)
    with lab.record(*pod.at(nas), compress="zst"):
        for version in (3, 4):
            nfs(host, "nfs-ls", url("192.168.49.30", version=version))
            place = url("192.168.49.30", f"/export/primary/mine{version}", version)
            nfs(host, "nfs-cp", str(file), f"{place}&uid=1000&gid=1000")
            nfs(host, "nfs-cat", f"{place}&uid=2000&gid=2000")
    lab.shows("nfs.status3 == 13 || nfs.nfsstat4 == 13", 1)
    lab.proof("HOST026", server="192.168.49.30")
