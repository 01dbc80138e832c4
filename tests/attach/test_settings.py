"""Where a tracker and its credentials come from, and that they are shown nowhere."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from pcapdx.attach.kinds import kinds
from pcapdx.attach.settings import Secret, Settings, SettingsError, read_file, settings_of
from tests.attach.conftest import Attach
from tests.conftest import ROOT

SECRET = "S3cr3t/+ value"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(config: Path, text: str, mode: int = 0o600) -> None:
    config.write_text(text)
    config.chmod(mode)


def test_the_kinds_are_found_in_their_folder() -> None:
    assert set(kinds()) == {"rt", "redmine", "jira", "mail"}
    assert all(kind.name == name for name, kind in kinds().items())


def test_the_environment_goes_before_the_keyring_and_that_before_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = pytest.importorskip("keyring", reason="the package keyring is not installed")
    backend = pytest.importorskip("keyring.backend")
    before = keyring.get_keyring()

    class Memory(backend.KeyringBackend):  # type: ignore[misc,name-defined]  # imported as a value
        priority = 1
        locked = False

        def get_password(self, service: str, username: str) -> str | None:
            if self.locked:
                raise keyring.errors.KeyringLocked
            return {("pcapdx", "ops-1"): "in the keyring"}.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

    told(config, '[ops-1]\nkind = "rt"\nurl = "https://rt.example.com/"\nsecret = "in the file"\nuser = "u"\n')
    found = settings_of("ops-1", None, None, kinds())
    assert found.secret is not None
    assert (found.url, found.user, found.secret.reveal()) == ("https://rt.example.com", "u", "in the file")
    memory = Memory()
    keyring.set_keyring(memory)
    try:
        for memory.locked, secret in ((False, "in the keyring"), (True, "in the file")):
            found = settings_of("ops-1", None, None, kinds())
            assert found.secret is not None
            assert found.secret.reveal() == secret
    finally:
        keyring.set_keyring(before)
    monkeypatch.setenv("PCAPDX_OPS_1_SECRET", "in the environment")
    monkeypatch.setenv("PCAPDX_OPS_1_USER", "somebody")
    found = settings_of("ops-1", None, None, kinds())
    assert found.secret is not None
    assert (found.user, found.secret.reveal()) == ("somebody", "in the environment")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o644])
def test_a_file_that_is_open_to_others_is_refused(config: Path, mode: int) -> None:
    told(config, f'[rt]\nurl = "https://rt.example.com"\nsecret = "{SECRET}"\n', mode)
    with pytest.raises(SettingsError, match="chmod 600") as caught:
        settings_of("rt", None, None, kinds())
    assert SECRET not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(config, "")
    os.chown(config, 65534, 65534)
    with pytest.raises(SettingsError, match="open to others"):
        read_file(config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'[rt]\nsecret = "{SECRET}\n', "is no TOML"),
        (f'[rt]\npassword = "{SECRET}"\n', "unknown key 'password'"),
        ("[rt]\nsecret = 5\n", "secret is to be a text"),
        ('[rt]\nlimit = "5"\n', "limit is to be a positive number"),
        ("[rt]\nlimit = true\n", "limit is to be a positive number"),
        ('[rt]\nplaintext = "no"\n', "plaintext is to be true or false"),
        ("[rt]\n", "where is rt"),
        ("rt = 5\n", "is to be a table"),
        ('[rt]\nkind = "trac"\n', "kinds are jira, mail, redmine, rt"),
        ('[rt]\nurl = "https://rt.example.com"\nca = "/no/such.pem"\n', "no file of certificates"),
        ('[rt]\nurl = "http://rt.example.com"\n', "unencrypted; plaintext = true"),
        ('[rt]\nurl = "https://[::1"\n', "is no address"),
        ('[rt]\nurl = "https://rt.example.com:port"\n', "is no address"),
        ('[rt]\nurl = "https://a..b/"\n', "is no address"),
        ('[rt]\nurl = "rt.example.com"\n', "is no address"),
        ('[rt]\nurl = "https://me:pw@rt.example.com"\n', "address with credentials"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_shown(config: Path, text: str, words: str) -> None:
    told(config, text)
    with pytest.raises(SettingsError, match=words) as caught:
        settings_of("rt", None, None, kinds())
    assert SECRET not in str(caught.value)


def test_unencrypted_only_where_allowed_or_on_this_machine(config: Path) -> None:
    told(config, '[rt]\nurl = "http://rt.example.com"\nplaintext = true\n')
    assert settings_of("rt", None, None, kinds()).plaintext
    for address in ("http://127.0.0.1:80", "http://localhost", "http://[::1]:1"):
        assert settings_of("redmine", address, None, kinds()).is_local


def test_an_address_on_the_command_line_cannot_draw_a_secret_elsewhere(config: Path) -> None:
    told(config, f'[rt]\nurl = "https://rt.example.com"\nsecret = "{SECRET}"\n')
    with pytest.raises(SettingsError, match="--url gives another"):
        settings_of("rt", "https://evil.example.net", None, kinds())
    assert settings_of("rt", "https://rt.example.com/", None, kinds()).secret is not None


def test_the_tracker_that_is_meant(config: Path) -> None:
    with pytest.raises(SettingsError, match="which tracker"):
        settings_of(None, None, None, kinds())
    told(config, '[rt]\nurl = "https://a.example"\n')
    assert settings_of(None, None, None, kinds()).name == "rt"
    told(config, '[rt]\nurl = "https://a.example"\n[jira]\nurl = "https://b.example"\n')
    with pytest.raises(SettingsError, match="one of rt, jira"):
        settings_of(None, None, None, kinds())
    told(config, 'default = "jira"\n[rt]\nurl = "https://a.example"\n[jira]\nurl = "https://b.example"\n')
    assert settings_of(None, None, None, kinds()).name == "jira"


def test_secrets_are_not_printed() -> None:
    secret = Secret(SECRET, "from a test")
    settings = Settings(name="a", kind="rt", url="https://a.example", user="me", secret=secret)
    assert SECRET not in f"{secret} {secret!r} {settings} {settings!r}"
    spelled = f"x {SECRET} S3cr3t%2F%2B%20value S3cr3t%2F%2B+value bWU6UzNjcjN0LysgdmFsdWU= y"
    assert settings.scrubbed(spelled) == "x *** *** *** *** y"


def test_no_secret_anywhere_is_said(attach: Attach, bundle: Path) -> None:
    said = attach("1", bundle, "--url", "https://rt.example.com", tracker="rt")
    assert said.status == 2
    for place in ("PCAPDX_RT_SECRET", "keyring set pcapdx rt", "configuration file"):
        assert place in said.err


@pytest.mark.parametrize(("kind", "package"), [("rt", "rt"), ("redmine", "redminelib"), ("jira", "jira")])
def test_a_package_that_is_missing_is_one_sentence(
    attach: Attach, bundle: Path, monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    for name in (package, "rt.rest2"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    ticket = "OPS-1" if kind == "jira" else "1"
    said = attach(ticket, bundle, "--url", "https://a.example", tracker=kind, secret="a-secret-of-it")
    assert said.status == 2
    assert "pip install 'pcapdx[attach]'" in said.err


@pytest.mark.parametrize("secret", ["a secret\nX-Other: 1", "gehe\u00efm-gehe\u00efm", "a\x00b-secret"])
def test_a_secret_that_no_header_takes(attach: Attach, bundle: Path, secret: str, config: Path) -> None:
    escaped = secret.encode("unicode_escape").decode().replace("\\x", "\\u00")
    told(config, f'[rt]\nurl = "https://rt.example.com"\nsecret = "{escaped}"\n')
    said = attach("1", bundle)
    assert said.status == 2
    assert "no request can carry" in said.err
    assert secret not in said.err


class _Elsewhere(BaseHTTPRequestHandler):
    target = ""
    heads: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.heads.append(str(self.headers))
        self.send_response(302 if self.target else 404)
        self.send_header("Location", self.target + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(("kind", "ticket"), [("rt", "1"), ("redmine", "1"), ("jira", "OPS-1")])
def test_a_redirect_does_not_carry_the_secret_elsewhere(attach: Attach, bundle: Path, kind: str, ticket: str) -> None:
    class Second(_Elsewhere):
        heads: ClassVar[list[str]] = []

    with serving(Second) as there:

        class First(_Elsewhere):
            heads: ClassVar[list[str]] = []
            target = f"http://127.0.0.1:{there}"

        with serving(First) as here:
            said = attach(ticket, bundle, "--url", f"http://127.0.0.1:{here}", tracker=kind, secret="abc-secret-def")
    assert said.status == 2
    assert any("abc-secret-def" in head for head in First.heads)
    assert not any("abc-secret-def" in head for head in Second.heads)


def test_nobody_there(attach: Attach, bundle: Path) -> None:
    for kind, ticket in (("rt", "1"), ("redmine", "1"), ("jira", "OPS-1")):
        said = attach(ticket, bundle, "--url", "http://127.0.0.1:9", tracker=kind, secret="a-secret-of-it")
        assert said.status == 2
        assert "Connection refused" in said.err


def test_the_example_of_the_readme_is_a_configuration(config: Path, own_tls: tuple[object, Path]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = (block.partition("```")[0] for block in text.split("```toml\n") if block.startswith("[ops]"))
    told(config, example.replace("/etc/ssl/cloud-ca.pem", str(own_tls[1])))
    assert settings_of("ops", None, None, kinds()).limit == 20_000_000
    assert settings_of("post", None, None, kinds()).mail["to"] == "tickets@example.com"
