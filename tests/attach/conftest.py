"""Servers for a whole run, files to attach, and a command line whose every output is searched for the secret."""

import logging
import os
import random
import ssl
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pcapdx.attach import once
from pcapdx.cli import cli
from pcapdx.errors import PcapdxError
from pcapdx.values import dataclass
from tests import labelled
from tests.attach.jira_server import Jira, jira_server
from tests.attach.servers import Server, redmine, request_tracker
from tests.capture.writing import Packet, pcap

FAULTY = "password-delivered-g4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a run said; ``out`` and ``err`` are told apart."""

    status: int
    out: str
    err: str


Attach = Callable[..., Said]


@pytest.fixture(scope="session")
def rt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with request_tracker(tmp_path_factory.mktemp("rt")) as server:
        yield server


@pytest.fixture(scope="session")
def rm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redmine(tmp_path_factory.mktemp("redmine")) as server:
        yield server


@pytest.fixture
def jira() -> Iterator[Jira]:
    with jira_server() as server:
        yield server


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a labelled capture that has a secret in it."""
    path = tmp_path_factory.mktemp("bundle") / "OPS-812.zip"
    arguments = [f"{one.name}={one.path}" for one in labelled.CASES[FAULTY].arguments]
    done = CliRunner().invoke(cli, ["bundle", "OPS-812", *arguments, "-o", str(path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An annotated capture that is larger than the trackers here take."""
    folder = tmp_path_factory.mktemp("large")
    packets = [Packet(n * 1000, bytes(12) + b"\x88\xb5" + random.Random(n).randbytes(1000), n) for n in range(50)]
    (folder / "large.pcap").write_bytes(pcap(packets))
    arguments = [str(folder / "large.pcap"), "-o", str(folder / "large.pcapng")]
    done = CliRunner().invoke(cli, ["annotate", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder / "large.pcapng"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the configuration file is to be."""
    folder = tmp_path / "config/pcapdx"
    folder.mkdir(parents=True)
    return folder / "attach.toml"


@pytest.fixture(scope="session")
def own_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a self-signed certificate for ``localhost``, and that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context, folder / "ca.pem"


@pytest.fixture
def attach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Attach]:
    """Runs the command with short pauses; ``secret`` goes into the environment, and may show nowhere."""
    monkeypatch.setattr(once, "PAUSES_S", (0.3, 0.6, 1.0))
    monkeypatch.setattr(once, "LOOKS", 3)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in [name for name in os.environ if name.startswith("PCAPDX_")]:
        monkeypatch.delenv(name)
    caplog.set_level(logging.DEBUG)
    secrets: list[str] = []

    def run(*arguments: str | Path, secret: str | None = None, tracker: str = "") -> Said:
        if tracker:
            arguments = (*arguments, "--tracker", tracker)
        if secret:
            monkeypatch.setenv(f"PCAPDX_{tracker.upper()}_SECRET", secret)
            secrets.append(secret)
        done = CliRunner().invoke(cli, ["attach", *map(str, arguments)])
        error = ""
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            if not isinstance(done.exception, PcapdxError):
                raise done.exception
            error = f"pcapdx: {done.exception}\n"
            shown = "".join(traceback.format_exception(done.exception))
            assert not any(one in shown for one in secrets)
        said = Said(status=2 if error else done.exit_code, out=done.stdout, err=done.stderr + error)
        for one in secrets:
            assert one not in said.out + said.err
        return said

    yield run
    for one in secrets:
        assert one not in caplog.text
