"""Against a real Request Tracker 5: what arrives, what is refused, and connections that break."""

import base64
import os
import signal
import sqlite3
import ssl
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from pcapdx.attach import once
from tests.attach.conftest import Attach
from tests.attach.relay import Break, relay
from tests.attach.servers import RT_KEEPS, Server, free_port

pytest.importorskip("rt.rest2", reason="the package rt is not installed")
pytestmark = pytest.mark.xdist_group("rt")
ASKED = """
SELECT t.id, a.Filename, a.ContentEncoding, a.Content FROM Attachments a JOIN Transactions t ON a.TransactionId = t.id
WHERE t.ObjectType = 'RT::Ticket' AND t.Type = 'Comment' AND t.ObjectId = ? AND a.Content IS NOT NULL ORDER BY a.id
"""


def arrived(server: Server, ticket: str) -> list[tuple[str, dict[str, bytes]]]:
    """Comments on a ticket, their texts and files, as they are in the server's database."""
    found: dict[int, tuple[str, dict[str, bytes]]] = {}
    with closing(sqlite3.connect(f"file:{server.folder}/rt.sqlite?mode=ro", uri=True)) as database:
        for comment, name, encoding, content in database.execute(ASKED, (int(ticket),)):
            data = content if isinstance(content, bytes) else content.encode()
            data = base64.b64decode(data) if encoding == "base64" else data
            text, files = found.setdefault(comment, ("", {}))
            if name:
                files[name] = data
            else:
                text = data.decode()
            found[comment] = text, files
    return list(found.values())


def at(server: Server, port: int | None = None) -> tuple[str, ...]:
    return "--url", f"http://127.0.0.1:{port}" if port else server.url


def test_a_bundle_with_a_comment(rt: Server, attach: Attach, bundle: Path) -> None:
    ticket, secret = rt.ticket(), rt.secrets["operator"]
    said = attach(ticket, bundle, "--comment", "see below", "--link", *at(rt), tracker="rt", secret=secret)
    assert said.status == 0, said.err
    ((text, files),) = arrived(rt, ticket)
    assert list(files.values()) == [bundle.read_bytes()]
    (name,) = files
    assert name.startswith("OPS-812-")
    lines = text.splitlines()
    assert lines[0] == "see below"
    assert "No fault found" in text
    assert "Secrets are masked" in text
    assert name.removeprefix("OPS-812-").removesuffix(".zip") in lines[-1]
    assert said.out.startswith(f"{rt.url}/Ticket/Display.html?id={ticket}#txn-")
    assert "a bundle was made for OPS-812" in said.err


def test_twice_is_once(rt: Server, attach: Attach, bundle: Path) -> None:
    ticket, secret = rt.ticket(), rt.secrets["operator"]
    attach(ticket, bundle, *at(rt), tracker="rt", secret=secret)
    again = attach(ticket, bundle, *at(rt), tracker="rt", secret=secret)
    assert again.status == 0
    assert "has it already" in again.err
    assert len(arrived(rt, ticket)) == 1
    assert "nothing would be sent" in attach(ticket, bundle, "--dry-run", *at(rt), tracker="rt", secret=secret).out


def test_a_dry_run_sends_nothing_and_shows_all(rt: Server, attach: Attach, bundle: Path) -> None:
    ticket, secret = rt.ticket(), rt.secrets["operator"]
    said = attach(ticket, bundle, "--dry-run", "--link", *at(rt), tracker="rt", secret=secret)
    assert said.status == 0, said.err
    assert arrived(rt, ticket) == []
    assert "secret from PCAPDX_RT_SECRET in the environment" in said.out
    attach(ticket, bundle, *at(rt), tracker="rt", secret=secret)
    ((text, files),) = arrived(rt, ticket)
    assert all(f"  {line}" in said.out.splitlines() for line in text.splitlines())
    assert all(name in said.out for name in files)
    assert said.out.splitlines()[-1] == f"{rt.url}/Ticket/Display.html?id={ticket}"


@pytest.mark.parametrize(
    ("who", "ticket", "words"),
    [
        ("nobody", None, "does not know these credentials"),
        ("outsider", None, "does not show ticket"),
        ("reader", None, "does not let these credentials comment"),
        ("operator", "999999", "has no ticket 999999"),
        ("operator", "OPS-812", "names no ticket"),
        ("operator", "1/../2", "names no ticket"),
    ],
)
def test_what_is_refused(rt: Server, attach: Attach, bundle: Path, who: str, ticket: str | None, words: str) -> None:
    number = ticket or rt.ticket()
    secret = rt.secrets.get(who, "1-99-0123456789abcdef0123456789abcdef")
    said = attach(number, bundle, *at(rt), tracker="rt", secret=secret)
    assert said.status == 2
    assert words in said.err
    assert ticket or arrived(rt, number) == []


def test_a_user_with_a_password(rt: Server, attach: Attach, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCAPDX_RT_USER", "operator")
    ticket = rt.ticket()
    assert attach(ticket, bundle, *at(rt), tracker="rt", secret=rt.password).status == 0
    assert len(arrived(rt, ticket)) == 1
    assert "does not know" in attach(ticket, bundle, *at(rt), tracker="rt", secret="not-the-password").err


def test_who_may_not_read_comments_is_told_so(rt: Server, attach: Attach, bundle: Path) -> None:
    ticket = rt.ticket()
    said = attach(ticket, bundle, *at(rt), tracker="rt", secret=rt.secrets["writer"])
    assert said.status == 0
    assert len(arrived(rt, ticket)) == 1
    assert "cannot be seen from here" in said.err


@pytest.mark.parametrize("after", [None, 5000, 400])
def test_a_broken_connection_leaves_one_comment(rt: Server, attach: Attach, bundle: Path, after: int | None) -> None:
    """Cut in mid-upload, and after the whole request but before its answer."""
    ticket, secret = rt.ticket(), rt.secrets["operator"]
    broken = Break(request=f"POST /REST/2.0/ticket/{ticket}/comment".encode(), after=after)
    with relay(rt.port, broken) as port:
        said = attach(ticket, bundle, *at(rt, port), tracker="rt", secret=secret)
    assert broken.done == 1
    assert said.status == 0, said.err
    ((_, files),) = arrived(rt, ticket)
    assert list(files.values()) == [bundle.read_bytes()]


def test_a_server_that_is_stopped_in_mid_upload_and_started_again(
    rt: Server, attach: Attach, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "PAUSES_S", (1.0, 8.0, 16.0))
    ticket, secret, port = rt.ticket(), rt.secrets["operator"], free_port()
    with ExitStack() as stack:
        group = stack.enter_context(rt.start(port))
        again = threading.Thread(target=lambda: stack.enter_context(rt.start(port)))

        def stop() -> None:
            os.killpg(group, signal.SIGKILL)
            again.start()

        broken = Break(request=f"POST /REST/2.0/ticket/{ticket}/comment".encode(), after=5000, action=stop)
        with relay(port, broken) as front:
            said = attach(ticket, bundle, *at(rt, front), tracker="rt", secret=secret)
        again.join(60)
    assert broken.done == 1
    assert said.status == 0, said.err
    ((_, files),) = arrived(rt, ticket)
    assert list(files.values()) == [bundle.read_bytes()]


def test_a_server_that_answers_too_late_has_one_comment(rt: Server, attach: Attach, bundle: Path, config: Path) -> None:
    """The client gives up waiting; the server has it, and it is not sent again."""
    ticket, secret = rt.ticket(), rt.secrets["operator"]
    broken = Break(request=f"POST /REST/2.0/ticket/{ticket}/comment".encode(), after=None, stall=True)
    with relay(rt.port, broken) as port:
        config.write_text(f'[rt]\nurl = "http://127.0.0.1:{port}"\ntimeout = 6\n')
        config.chmod(0o600)
        said = attach(ticket, bundle, tracker="rt", secret=secret)
    assert broken.done == 1
    assert said.status == 0, said.err
    assert len(arrived(rt, ticket)) == 1


def test_a_server_that_stays_away_is_given_up(rt: Server, attach: Attach, bundle: Path) -> None:
    ticket, secret = rt.ticket(), rt.secrets["operator"]
    broken = Break(request=f"POST /REST/2.0/ticket/{ticket}/comment".encode(), after=5000, times=99)
    with relay(rt.port, broken) as port:
        said = attach(ticket, bundle, *at(rt, port), tracker="rt", secret=secret)
    assert said.status == 2
    assert "the connection was lost 4 times" in said.err
    assert arrived(rt, ticket) == []


def test_what_the_server_drops_is_noticed(rt: Server, attach: Attach, large: Path) -> None:
    """RT answers as if all were well, and keeps a line in place of a file that is too large."""
    assert large.stat().st_size > RT_KEEPS
    said = attach(rt.ticket(), large, *at(rt), tracker="rt", secret=rt.secrets["operator"])
    assert said.status == 2
    assert "the tracker kept" in said.err


def test_what_is_too_large_is_split(rt: Server, attach: Attach, large: Path, config: Path) -> None:
    config.write_text(f'[ops]\nkind = "rt"\nurl = "{rt.url}"\nlimit = {RT_KEEPS}\n')
    config.chmod(0o600)
    ticket = rt.ticket()
    said = attach(ticket, large, tracker="ops", secret=rt.secrets["operator"])
    assert said.status == 0, said.err
    comments = arrived(rt, ticket)
    parts = {name: data for _, files in comments for name, data in files.items()}
    assert len(parts) > 1
    assert b"".join(parts[name] for name in sorted(parts)) == large.read_bytes()
    assert "put together by: cat " in "".join(comments[0][0].split("\n"))
    assert "put together by" in said.err


def test_a_certificate_that_is_not_trusted(
    rt: Server, attach: Attach, bundle: Path, own_tls: tuple[ssl.SSLContext, Path]
) -> None:
    context, authority = own_tls
    ticket, secret = rt.ticket(), rt.secrets["operator"]
    with relay(rt.port, tls=context) as port:
        url = f"https://localhost:{port}"
        said = attach(ticket, bundle, "--url", url, tracker="rt", secret=secret)
        assert said.status == 2
        assert "is not trusted" in said.err
        assert "--ca" in said.err
        assert arrived(rt, ticket) == []
        assert attach(ticket, bundle, "--url", url, "--ca", authority, tracker="rt", secret=secret).status == 0
        other = attach(ticket, bundle, "--url", url.replace("localhost", "127.0.0.1"), "--ca", authority, tracker="rt")
        assert other.status == 2
        assert "is not trusted" in other.err
    assert len(arrived(rt, ticket)) == 1
