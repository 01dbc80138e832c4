"""Instances of one image: with its SSH host key, and each with its own."""

from captures.lab.cloud import GuestNetwork
from captures.lab.scenario import Lab, scenario
from captures.lab.services.ssh import key_scan, sshd
from captures.lab.stage import Stage

_KEY = "ssh.message_code == 31"


def _logins(lab: Lab, number: int, first_tap: int, *, image: str) -> None:
    """Two instances run sshd; a third one connects to both and reads their keys."""
    network = GuestNetwork(cidr=f"10.{number - 707}.0.0/24", gateway=f"10.{number - 707}.0.1", number=number)
    stage = Stage(lab, network, first_tap=first_tap)
    servers = [stage.guest(0x12 + n, f"clone-{n}") for n in range(2)]
    client = stage.guest(0x31, "bastion")
    for n, machine in enumerate((*servers, client)):
        machine.address(network.ip(20 + n), 24, network.gateway)
    for machine in servers:
        sshd(machine, 22, image=image)
    with lab.record(*stage.at_bridge, told=False, compress="gz", linger=2):
        for n in range(2):
            key_scan(client, network.ip(20 + n), 22)
    for machine in servers:
        lab.shows(f"{_KEY} && eth.src == {machine.mac}", 1)


@scenario
def template_shared_host_key(lab: Lab) -> None:
    """sshd's host key is part of the image: two instances show the same one to whoever connects to them."""
    _logins(lab, 0x3A5, 2, image="golden")
    lab.fault("TMPL010", _KEY)


@scenario
def template_own_host_keys(lab: Lab) -> None:
    """As template-shared-host-key, with keys that were made anew on each instance. Healthy."""
    _logins(lab, 0x3A6, 6, image="")
