"""Jira's client against a small server that speaks the documented calls; no Jira took part."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.attach.conftest import Attach
from tests.attach.jira_server import LIMIT, Jira
from tests.attach.relay import Break, relay

pytest.importorskip("jira", reason="the package jira is not installed")
TICKET = "OPS-812"
TOKEN = "writer-token"


def at(server: Jira, port: int | None = None) -> tuple[str, ...]:
    return "--url", server.url.replace(str(server.port), str(port)) if port else server.url


def test_a_bundle_with_a_comment(jira: Jira, attach: Attach, bundle: Path) -> None:
    said = attach(TICKET, bundle, "--comment", "*see* [below]", "--link", *at(jira), tracker="jira", secret=TOKEN)
    assert said.status == 0, said.err
    issue = jira.issues[TICKET]
    ((name, data),) = issue.attachments
    (comment,) = issue.comments
    assert data == bundle.read_bytes()
    assert comment.startswith("\\*see\\* \\[below\\]\n")
    assert name in comment.replace("\\", "")
    assert said.out == f"{jira.url}/browse/{TICKET}?focusedCommentId=10\n"


def test_twice_is_once(jira: Jira, attach: Attach, bundle: Path) -> None:
    for _ in range(2):
        said = attach(TICKET, bundle, *at(jira), tracker="jira", secret=TOKEN)
        assert said.status == 0, said.err
    assert "has it already" in said.err
    assert (len(jira.issues[TICKET].attachments), len(jira.issues[TICKET].comments)) == (1, 1)


def test_a_dry_run_sends_nothing_and_shows_all(jira: Jira, attach: Attach, bundle: Path) -> None:
    said = attach(TICKET, bundle, "--dry-run", *at(jira), tracker="jira", secret=TOKEN)
    assert said.status == 0, said.err
    issue = jira.issues[TICKET]
    assert not issue.attachments
    assert not issue.comments
    attach(TICKET, bundle, *at(jira), tracker="jira", secret=TOKEN)
    assert all(f"  {line}" in said.out.splitlines() for line in issue.comments[0].splitlines())
    assert issue.attachments[0][0] in said.out
    assert f"{LIMIT:,} bytes a file, as Jira tells" in said.out


@pytest.mark.parametrize(
    ("token", "ticket", "words"),
    [
        ("wrong-token", TICKET, "does not know these credentials"),
        ("reader-token", TICKET, "does not let these credentials see or change"),
        (TOKEN, "OPS-999", "has no ticket OPS-999"),
        (TOKEN, "../OPS-812", "names no ticket"),
    ],
)
def test_what_is_refused(jira: Jira, attach: Attach, bundle: Path, token: str, ticket: str, words: str) -> None:
    said = attach(ticket, bundle, *at(jira), tracker="jira", secret=token)
    assert said.status == 2
    assert words in said.err
    assert not jira.issues[TICKET].attachments


def test_an_account_of_cloud(jira: Jira, attach: Attach, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCAPDX_JIRA_USER", "operator@example.com")
    assert attach(TICKET, bundle, *at(jira), tracker="jira", secret=TOKEN).status == 0
    assert len(jira.issues[TICKET].comments) == 1


@pytest.mark.parametrize("call", ["attachments", "comment"])
@pytest.mark.parametrize("after", [None, 200])
def test_a_broken_connection_leaves_one_of_each(
    jira: Jira, attach: Attach, bundle: Path, call: str, after: int | None
) -> None:
    broken = Break(request=f"POST /jira/rest/api/2/issue/{TICKET}/{call}".encode(), after=after)
    with relay(jira.port, broken) as port:
        said = attach(TICKET, bundle, *at(jira, port), tracker="jira", secret=TOKEN)
    assert broken.done == 1
    assert said.status == 0, said.err
    issue = jira.issues[TICKET]
    assert [data for _, data in issue.attachments] == [bundle.read_bytes()]
    assert len(issue.comments) == 1


@pytest.mark.parametrize("call", ["attachments", "comment"])
def test_an_answer_that_comes_too_late_leaves_one_of_each(
    jira: Jira, attach: Attach, bundle: Path, config: Path, call: str
) -> None:
    broken = Break(request=f"POST /jira/rest/api/2/issue/{TICKET}/{call}".encode(), after=None, stall=True)
    with relay(jira.port, broken) as port:
        config.write_text(f'[jira]\nurl = "http://127.0.0.1:{port}/jira"\ntimeout = 1\n')
        config.chmod(0o600)
        said = attach(TICKET, bundle, tracker="jira", secret=TOKEN)
    assert broken.done == 1
    assert said.status == 0, said.err
    assert (len(jira.issues[TICKET].attachments), len(jira.issues[TICKET].comments)) == (1, 1)


def test_a_server_that_is_busy_is_asked_again(
    jira: Jira, attach: Attach, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pytest.importorskip("pcapdx.attach.attach").attach

    def busy(*arguments: object) -> object:
        jira.busy = 2
        return plan(*arguments)

    monkeypatch.setattr("pcapdx.attach.attach.attach", busy)
    said = attach(TICKET, bundle, *at(jira), tracker="jira", secret=TOKEN)
    assert said.status == 0, said.err
    assert len(jira.issues[TICKET].comments) == 1


def test_a_file_larger_than_the_server_takes(jira: Jira, attach: Attach, large: Path) -> None:
    jira.told_limit = large.stat().st_size // 2
    assert attach(TICKET, large, *at(jira), tracker="jira", secret=TOKEN).status == 0
    issue = jira.issues[TICKET]
    assert b"".join(data for _, data in sorted(issue.attachments)) == large.read_bytes()
    assert len(issue.attachments) > 1
    assert len(issue.comments) == 1


@pytest.mark.parametrize(("status", "words"), [(413, "takes no such large files"), (404, "it is too large there, or")])
def test_a_server_that_takes_less_than_it_tells(
    jira: Jira, attach: Attach, tmp_path: Path, status: int, words: str
) -> None:
    jira.told_limit, jira.too_large = 10 * LIMIT, status
    path = tmp_path / "huge.bin"
    path.write_bytes(bytes(LIMIT + 2000))
    said = attach(TICKET, path, "--i-know-it-is-not-masked", *at(jira), tracker="jira", secret=TOKEN)
    assert said.status == 2
    assert words in said.err


def test_a_certificate_that_is_not_trusted(
    jira: Jira, attach: Attach, bundle: Path, own_tls: tuple[ssl.SSLContext, Path]
) -> None:
    context, authority = own_tls
    with relay(jira.port, tls=context) as port:
        url = f"https://localhost:{port}/jira"
        said = attach(TICKET, bundle, "--url", url, tracker="jira", secret=TOKEN)
        assert said.status == 2
        assert "is not trusted" in said.err
        assert attach(TICKET, bundle, "--url", url, "--ca", authority, tracker="jira", secret=TOKEN).status == 0


def test_a_page_that_is_no_jira(jira: Jira, attach: Attach, bundle: Path) -> None:
    said = attach(TICKET, bundle, "--url", jira.url + "/elsewhere", tracker="jira", secret=TOKEN)
    assert said.status == 2


def test_the_program_itself(jira: Jira, bundle: Path, tmp_path: Path) -> None:
    """As a shell sees it: statuses, what goes where, and no word of the token."""
    command = [sys.executable, "-m", "pcapdx", "attach", TICKET, str(bundle), "--tracker", "jira", *at(jira), "--link"]
    keyring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "XDG_CONFIG_HOME": str(tmp_path)}
    for token, status in ((TOKEN, 0), ("wrong-token", 2)):
        env = {**os.environ, **keyring, "PCAPDX_JIRA_SECRET": token}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == status, done.stderr
        assert token not in done.stdout + done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert bool(done.stdout) is (status == 0)
    assert len(jira.issues[TICKET].comments) == 1
