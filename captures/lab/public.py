"""The console proxy's surroundings: public VLAN, upstream router, and an office with a browser and its resolver."""

from datetime import timedelta
from pathlib import Path

from captures.lab.cloud import GuestNetwork, Host, Machine
from captures.lab.router import Router
from captures.lab.scenario import Lab
from captures.lab.services import certificates
from captures.lab.services.certificates import Authority
from captures.lab.stage import Point

DOMAIN = "console.example.com"
_OFFICE = GuestNetwork(cidr="198.51.100.0/24", gateway="198.51.100.1", domain=DOMAIN)
_PROGRAMS = Path(__file__).parent / "programs"


class Public:
    """A CPVM in a public VLAN, and a browser's machine behind the upstream router.

    ``records`` are the names (below `DOMAIN`, or absolute) and addresses that the browser's resolver knows; the dashed
    name of the CPVM's address is among them unless ``dashed_name`` is false.
    """

    def __init__(
        self,
        lab: Lab,
        ip: str = "203.0.113.45",
        *,
        records: tuple[tuple[str, str], ...] = (),
        dashed_name: bool = True,
        first_tap: int = 50,
    ) -> None:
        self.lab = lab
        self.ip = ip
        self.host = Host(lab, first_tap=first_tap)
        public, office = self.host.bridge("brbond0-500"), self.host.bridge("office0")
        self.cpvm = Machine(self.host, public, "1e:00:9b:00:00:3a", "cpvm")
        self.cpvm.address(ip, 24, "203.0.113.1")
        self.upstream = Machine(self.host, public, "00:1c:73:0b:0b:01", "upstream")
        self.upstream.address("203.0.113.1", 24)
        self.upstream.plug(office, "00:1c:73:0b:0b:02")
        self.upstream.address(_OFFICE.gateway, 24, nic=1)
        self.upstream.ns.sysctl("net.ipv4.ip_forward", 1)
        self.browser = Machine(self.host, office, "a4:bb:6d:12:34:56", "browser")
        self.browser.address("198.51.100.77", 24, _OFFICE.gateway)
        self.resolver = Router(self.host, office, _OFFICE, ip="198.51.100.53", mac="00:16:3e:0a:0a:53", label="dns")
        names = [(self.dashed, ip)] if dashed_name else []
        self.resolver.dhcp([("", address, name) for name, address in (*names, *records)], serve_dhcp=False)
        self.browser.ns.resolver("198.51.100.53")
        self.trust(certificates.authority("Unrelated Public Root"))

    @property
    def dashed(self) -> str:
        """The label CloudStack makes of the CPVM's address."""
        return self.ip.replace(".", "-")

    @property
    def name(self) -> str:
        """The name in the console's URL."""
        return f"{self.dashed}.{DOMAIN}"

    @property
    def at_cpvm(self) -> Point:
        """The tap of the CPVM's public NIC."""
        return self.host.ns, self.cpvm.tap, "tap"

    @property
    def at_browser(self) -> Point:
        """The browser's own machine."""
        return self.browser.ns, "eth0", "nic"

    def trust(self, *roots: Authority) -> None:
        """Give the browser these roots."""
        self.bundle = certificates.trust(self.lab.folder / "roots.pem", *roots)

    def page(self, name: str = "", *, port: int = 0, scheme: str = "https", options: tuple[str, ...] = ()) -> int:
        """Load the console's page with curl; its exit code."""
        url = f"{scheme}://{name or self.name}{f':{port}' if port else ''}/resource/noVNC/vnc.html?autoconnect=true"
        words = ("curl", "-s", "-m", "20", "-o", "/dev/null", "--cacert", str(self.bundle), *options, url)
        return self.browser.ns.run(*words, check=False).returncode

    def websocket(
        self, name: str = "", port: int = 8443, *, tls: bool = True, keys: tuple[float, ...] = (), seconds: float = 45
    ) -> None:
        """Open the console's websocket and look at it for some seconds, pressing a key at each of the ``keys``."""
        bundle = (str(self.bundle),) if tls else ()
        program = str(_PROGRAMS / "websocket.py")
        words = ("python3", program, name or self.name, str(port), *bundle)
        env = {"KEYS": ",".join(map(str, keys))}
        self.browser.ns.run(*words, check=False, seconds=seconds, env=env)

    def s_client(self, *options: str, name: str = "", seconds: float = 3) -> None:
        """One handshake with openssl s_client, which verifies and says why it does not like a certificate."""
        target = ("-connect", f"{self.ip}:443", "-servername", name or self.name, "-CAfile", str(self.bundle))
        words = ("openssl", "s_client", *target, "-verify_return_error", *options)
        self.browser.ns.run(*words, check=False, seconds=seconds)

    def chromium(self) -> None:
        """Open the page in headless Chromium, with a profile of its own and no traffic of its own."""
        profile = f"--user-data-dir={self.lab.folder}/chromium"
        quiet = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
        url = f"https://{self.name}/resource/noVNC/vnc.html"
        self.browser.ns.run("chromium", *quiet, profile, "--dump-dom", url, check=False, seconds=20)

    def pem(
        self,
        *names: str,
        issuer: Authority | None,
        chain: tuple[Authority, ...] = (),
        starts: timedelta = timedelta(days=-40),
        ends: timedelta = timedelta(days=300),
    ) -> Path:
        """A key with a certificate for ``names``, valid from now + ``starts`` to now + ``ends``, and the chain sent."""
        certificate, key = certificates.leaf(names, issuer, starts=starts, ends=ends)
        return certificates.write(self.lab.folder / "cpvm.pem", key, certificate, *(one.certificate for one in chain))
