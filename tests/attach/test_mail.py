"""Mail against a real SMTP server on loopback, with STARTTLS and a login."""

import email
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.attach.conftest import Attach
from tests.attach.relay import Break, relay
from tests.attach.servers import free_port

controller = pytest.importorskip("aiosmtpd.controller", reason="the package aiosmtpd is not installed")
smtp = pytest.importorskip("aiosmtpd.smtp")
PASSWORD = "correct horse battery"


@dataclass(slots=True, kw_only=True)
class Box:
    """What has arrived."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    later: int = 0
    """So many mails that are put off with 451."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if self.later:
            self.later -= 1
            return "451 try again later"
        message = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return "250 taken"


def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
    right = (data.login, data.password) == (b"operator", PASSWORD.encode())
    return smtp.AuthResult(success=right, handled=right)


@pytest.fixture
def box(own_tls: tuple[ssl.SSLContext, Path]) -> Iterator[Box]:
    """A server that asks for STARTTLS and a login, and takes 60,000 bytes."""
    taken = Box()
    server = controller.Controller(
        taken, hostname="127.0.0.1", port=free_port(), server_hostname="mail.example", tls_context=own_tls[0],
        require_starttls=True, authenticator=login, auth_required=True, data_size_limit=60_000,
    )  # fmt: skip
    server.start()
    try:
        taken.port = server.server.sockets[0].getsockname()[1]
        yield taken
    finally:
        server.stop()


def told(config: Path, port: int, authority: Path, **more: str) -> None:
    keys = {
        "kind": "mail", "url": f"smtp://localhost:{port}", "from": "noc@example.com", "to": "tickets@example.com",
        "user": "operator", "ca": str(authority), **more,
    }  # fmt: skip
    config.write_text("[post]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items()))
    config.chmod(0o600)


@pytest.fixture
def authority(own_tls: tuple[ssl.SSLContext, Path]) -> Path:
    return own_tls[1]


def files(mail: EmailMessage) -> dict[str, bytes]:
    return {str(one.get_filename()): one.get_payload(decode=True) for one in mail.iter_attachments()}  # type: ignore[misc]  # no multiparts


def test_a_bundle_by_mail(box: Box, attach: Attach, bundle: Path, config: Path, authority: Path) -> None:
    told(config, box.port, authority, subject="[example #{ticket}] {subject}")
    said = attach("OPS-812", bundle, "--link", "--comment", ".\n..dots", tracker="post", secret=PASSWORD)
    assert said.status == 0, said.err
    (mail,) = box.mails
    assert list(files(mail).values()) == [bundle.read_bytes()]
    assert mail["Subject"] == "[example #OPS-812] No fault found in what the captures can show."
    assert (mail["From"], mail["To"]) == ("noc@example.com", "tickets@example.com")
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines()[:2] == [".", "..dots"]
    assert said.out == f"mid:{mail['Message-ID'][1:-1]}\n"


def test_a_repeat_has_the_same_message_id(
    box: Box, attach: Attach, bundle: Path, config: Path, authority: Path
) -> None:
    told(config, box.port, authority)
    for _ in range(2):
        assert attach("OPS-812", bundle, tracker="post", secret=PASSWORD).status == 0
    first, second = box.mails
    assert first["Message-ID"] == second["Message-ID"]


def test_a_dry_run_shows_the_mail(box: Box, attach: Attach, bundle: Path, config: Path, authority: Path) -> None:
    told(config, box.port, authority)
    said = attach("OPS-812", bundle, "--dry-run", tracker="post", secret=PASSWORD)
    assert said.status == 0, said.err
    assert not box.mails
    assert "Subject: [OPS-812] No fault found" in said.out
    assert "as the server tells" in said.out


def test_a_wrong_password(box: Box, attach: Attach, bundle: Path, config: Path, authority: Path) -> None:
    told(config, box.port, authority)
    said = attach("OPS-812", bundle, tracker="post", secret="wrong password")
    assert said.status == 2
    assert "does not know these credentials" in said.err
    assert not box.mails


def test_a_certificate_that_is_not_trusted(box: Box, attach: Attach, bundle: Path, config: Path) -> None:
    told(config, box.port, Path(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"))
    said = attach("OPS-812", bundle, tracker="post", secret=PASSWORD)
    assert said.status == 2
    assert "is not trusted" in said.err
    assert not box.mails


def test_a_broken_connection_in_mid_upload_is_tried_again(
    box: Box, attach: Attach, bundle: Path, config: Path, authority: Path
) -> None:
    """What breaks is the encrypted stream, so the place is told in bytes."""
    broken = Break(request=b"STARTTLS", after=12_000)
    with relay(box.port, broken) as port:
        told(config, port, authority)
        # the first session only looks and is too short to break
        said = attach("OPS-812", bundle, tracker="post", secret=PASSWORD)
    assert broken.done == 1
    assert said.status == 0, said.err
    assert len(box.mails) == 1


def test_a_mail_that_may_have_arrived_is_not_sent_again(
    box: Box, attach: Attach, bundle: Path, config: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Box.handle_DATA

    async def vanish(self: Box, server: Any, session: Any, envelope: Any) -> str:
        said = await taken(self, server, session, envelope)
        server.transport.abort()
        return said

    monkeypatch.setattr(Box, "handle_DATA", vanish)
    told(config, box.port, authority)
    said = attach("OPS-812", bundle, tracker="post", secret=PASSWORD)
    assert said.status == 2
    assert len(box.mails) == 1
    assert f"look for Message-ID {box.mails[0]['Message-ID']}" in said.err


def test_a_server_that_puts_it_off_is_asked_again(
    box: Box, attach: Attach, bundle: Path, config: Path, authority: Path
) -> None:
    box.later = 2
    told(config, box.port, authority)
    assert attach("OPS-812", bundle, tracker="post", secret=PASSWORD).status == 0
    assert len(box.mails) == 1


def test_what_is_too_large_goes_in_several_mails(
    box: Box, attach: Attach, large: Path, config: Path, authority: Path
) -> None:
    told(config, box.port, authority)
    assert attach("OPS-812", large, tracker="post", secret=PASSWORD).status == 0
    assert len(box.mails) > 1
    assert len({mail["Message-ID"] for mail in box.mails}) == len(box.mails)
    parts = {name: data for mail in box.mails for name, data in files(mail).items()}
    assert b"".join(parts[name] for name in sorted(parts)) == large.read_bytes()
    assert box.mails[1]["Subject"].endswith(f"2/{len(box.mails)}")


def test_encrypted_from_the_beginning(
    attach: Attach, bundle: Path, config: Path, own_tls: tuple[ssl.SSLContext, Path]
) -> None:
    taken = Box()
    server = controller.Controller(taken, hostname="127.0.0.1", port=free_port(), ssl_context=own_tls[0])
    server.start()
    try:
        told(config, server.port, own_tls[1], url=f"smtps://localhost:{server.port}")
        said = attach("OPS-812", bundle, tracker="post")
    finally:
        server.stop()
    assert said.status == 0, said.err
    assert len(taken.mails) == 1


def test_unencrypted_mail_is_refused_unless_allowed(
    attach: Attach, bundle: Path, config: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pcapdx.attach.settings._LOOPBACK", ())
    taken = Box()
    server = controller.Controller(taken, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        told(config, server.port, authority)
        said = attach("OPS-812", bundle, tracker="post")
        assert said.status == 2
        assert "offers no encryption" in said.err
        assert not taken.mails
        config.write_text(config.read_text() + "plaintext = true\n")
        assert attach("OPS-812", bundle, tracker="post").status == 0
    finally:
        server.stop()
    assert len(taken.mails) == 1


@pytest.mark.parametrize("missing", ["from", "to"])
def test_sender_and_recipient_are_needed(attach: Attach, bundle: Path, config: Path, missing: str) -> None:
    there = {"from": "noc@example.com", "to": "tickets@example.com"}
    there.pop(missing)
    lines = "".join(f'{key} = "{value}"\n' for key, value in there.items())
    config.write_text(f'[mail]\nurl = "smtp://localhost"\n{lines}')
    config.chmod(0o600)
    said = attach("OPS-812", bundle)
    assert said.status == 2
    assert f"{missing} is expected" in said.err
