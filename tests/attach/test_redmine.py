"""Against a real Redmine: what arrives, what is refused, and connections that break."""

import sqlite3
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from tests.attach.conftest import Attach
from tests.attach.relay import Break, relay
from tests.attach.servers import REDMINE_KEEPS, Server

pytest.importorskip("redminelib", reason="the package python-redmine is not installed")
pytestmark = pytest.mark.xdist_group("redmine")


def arrived(server: Server, ticket: str) -> tuple[list[str], dict[str, bytes]]:
    """Notes and files of an issue, as they are in the server's database and folder."""
    with closing(sqlite3.connect(f"file:{server.folder}/redmine.sqlite?mode=ro", uri=True)) as database:
        notes = [
            str(text)
            for (text,) in database.execute("SELECT notes FROM journals WHERE journalized_id = ?", (int(ticket),))
        ]
        asked = "SELECT filename, disk_directory, disk_filename FROM attachments WHERE container_id = ?"
        files = database.execute(asked, (int(ticket),)).fetchall()
    assert len({name for name, _, _ in files}) == len(files)
    return notes, {name: (server.folder / "files" / folder / file).read_bytes() for name, folder, file in files}


def at(server: Server, port: int | None = None) -> tuple[str, ...]:
    return "--url", f"http://127.0.0.1:{port}" if port else server.url


def test_a_bundle_with_a_note(rm: Server, attach: Attach, bundle: Path) -> None:
    ticket, secret = rm.ticket(), rm.secrets["operator"]
    said = attach(
        f"#{ticket}", bundle, "--comment", "see </pre> below", "--link", *at(rm), tracker="redmine", secret=secret
    )
    assert said.status == 0, said.err
    (note,), files = arrived(rm, ticket)
    assert list(files.values()) == [bundle.read_bytes()]
    lines = note.splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("<pre>", "see ‹/pre> below", "</pre>")
    assert note.count("</pre>") == 1
    assert said.out.startswith(f"{rm.url}/issues/{ticket}#change-")


def test_twice_is_once(rm: Server, attach: Attach, bundle: Path) -> None:
    ticket, secret = rm.ticket(), rm.secrets["operator"]
    attach(ticket, bundle, *at(rm), tracker="redmine", secret=secret)
    again = attach(ticket, bundle, *at(rm), tracker="redmine", secret=secret)
    assert again.status == 0
    assert "has it already" in again.err
    notes, files = arrived(rm, ticket)
    assert (len(notes), len(files)) == (1, 1)


def test_a_dry_run_sends_nothing_and_shows_all(rm: Server, attach: Attach, bundle: Path) -> None:
    ticket, secret = rm.ticket(), rm.secrets["operator"]
    said = attach(ticket, bundle, "--dry-run", *at(rm), tracker="redmine", secret=secret)
    assert said.status == 0, said.err
    assert arrived(rm, ticket) == ([], {})
    attach(ticket, bundle, *at(rm), tracker="redmine", secret=secret)
    (note,), files = arrived(rm, ticket)
    assert all(f"  {line}" in said.out.splitlines() for line in note.splitlines())
    assert all(name in said.out for name in files)


@pytest.mark.parametrize(
    ("who", "ticket", "words"),
    [
        ("nobody", None, "does not know these credentials"),
        ("outsider", None, "does not let these credentials see or change"),
        ("reader", None, "does not let these credentials see or change"),
        ("operator", "999999", "has no ticket 999999"),
        ("operator", "1.json?x=", "names no ticket"),
    ],
)
def test_what_is_refused(rm: Server, attach: Attach, bundle: Path, who: str, ticket: str | None, words: str) -> None:
    number = ticket or rm.ticket()
    secret = rm.secrets.get(who, "0123456789abcdef0123456789abcdef01234567")
    said = attach(number, bundle, *at(rm), tracker="redmine", secret=secret)
    assert said.status == 2
    assert words in said.err
    assert ticket or arrived(rm, number) == ([], {})


def test_a_user_with_a_password(rm: Server, attach: Attach, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCAPDX_REDMINE_USER", "operator")
    ticket = rm.ticket()
    assert attach(ticket, bundle, *at(rm), tracker="redmine", secret=rm.password).status == 0
    assert len(arrived(rm, ticket)[0]) == 1


@pytest.mark.parametrize("request_line", ["POST /uploads.json", "PUT /issues/"])
@pytest.mark.parametrize("after", [None, 300])
def test_a_broken_connection_leaves_one_note(
    rm: Server, attach: Attach, bundle: Path, request_line: str, after: int | None
) -> None:
    """Cut in mid-upload or in the note, and after the whole request but before its answer."""
    ticket, secret = rm.ticket(), rm.secrets["operator"]
    broken = Break(request=request_line.encode(), after=after)
    with relay(rm.port, broken) as port:
        said = attach(ticket, bundle, *at(rm, port), tracker="redmine", secret=secret)
    assert broken.done == 1
    assert said.status == 0, said.err
    notes, files = arrived(rm, ticket)
    assert len(notes) == 1
    assert list(files.values()) == [bundle.read_bytes()]


def test_a_server_that_takes_less_than_thought_says_so(rm: Server, attach: Attach, large: Path) -> None:
    assert large.stat().st_size > REDMINE_KEEPS
    ticket = rm.ticket()
    said = attach(ticket, large, *at(rm), tracker="redmine", secret=rm.secrets["operator"])
    assert said.status == 2
    assert "exceeds" in said.err
    assert "set a smaller limit" in said.err
    assert arrived(rm, ticket) == ([], {})


def test_what_is_too_large_is_split_into_one_note(rm: Server, attach: Attach, large: Path, config: Path) -> None:
    config.write_text(f'[ops]\nkind = "redmine"\nurl = "{rm.url}"\nlimit = {REDMINE_KEEPS}\n')
    config.chmod(0o600)
    ticket = rm.ticket()
    said = attach(ticket, large, tracker="ops", secret=rm.secrets["operator"])
    assert said.status == 0, said.err
    notes, parts = arrived(rm, ticket)
    assert len(notes) == 1
    assert len(parts) > 1
    assert b"".join(parts[name] for name in sorted(parts)) == large.read_bytes()


def test_a_certificate_that_is_not_trusted(
    rm: Server, attach: Attach, bundle: Path, own_tls: tuple[ssl.SSLContext, Path]
) -> None:
    context, authority = own_tls
    ticket, secret = rm.ticket(), rm.secrets["operator"]
    with relay(rm.port, tls=context) as port:
        url = f"https://localhost:{port}"
        said = attach(ticket, bundle, "--url", url, tracker="redmine", secret=secret)
        assert said.status == 2
        assert "is not trusted" in said.err
        assert arrived(rm, ticket) == ([], {})
        assert attach(ticket, bundle, "--url", url, "--ca", authority, tracker="redmine", secret=secret).status == 0
    assert len(arrived(rm, ticket)[0]) == 1
