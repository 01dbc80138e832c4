"""Console sessions in which nobody types for minutes."""

from captures.lab.public import Public
from captures.lab.scenario import Lab, scenario
from captures.lab.services import console

_TOKEN = "Zx9-lab-token-console"
_KEY = "tcp.dstport == 8080 && tcp.len == 22"


def _session(lab: Lab, ip: str, *, patience_s: float, keys: tuple[float, ...], told: bool = True) -> None:
    """A console without TLS; its user presses Enter at these seconds and is silent in between."""
    public = Public(lab, ip=ip)
    console.start(public.cpvm, 8080, patience_s=patience_s)
    lab.secret(_TOKEN)
    with lab.record(*public.at_cpvm, told=told, linger=2):
        public.websocket(port=8080, tls=False, keys=keys, seconds=300)
    lab.shows("http.response.code == 101", 1, 1)
    lab.fault("CPVM022", "tcp.port == 8080", server=ip)
    lab.proof("CPVM024", "tcp.port == 8080")


@scenario
def console_idle_cut(lab: Lab) -> None:
    """The user presses a key, looks at the screen and does nothing more. The console proxy ends the session when it
    has had no word of him for its three minutes."""
    _session(lab, "203.0.113.134", patience_s=180, keys=(4, 400))
    lab.shows(_KEY, 1, 1)
    lab.shows("tcp.srcport == 8080 && tcp.flags.fin == 1 && frame.time_relative > 175", 1)
    lab.info("CPVM021", "tcp.srcport == 8080 && tcp.flags.fin == 1", server="203.0.113.134", port=8080)


@scenario
def console_idle_goes_on(lab: Lab) -> None:
    """As console-idle-cut, with a time-out of five minutes: the user presses a key after 186 s, gets another picture,
    and closes the window five seconds later."""
    _session(lab, "203.0.113.135", patience_s=300, keys=(4, 190), told=False)
    lab.shows(_KEY, 2, 2)
    lab.shows("tcp.dstport == 8080 && tcp.flags.fin == 1 && frame.time_relative > 190 && frame.time_relative < 200", 1)
