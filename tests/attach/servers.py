"""Request Tracker and Redmine from Debian's packages, on loopback, in folders and on ports of their own."""

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from pcapdx.values import dataclass

RT_HOME, REDMINE_HOME = Path("/usr/share/request-tracker5"), Path("/usr/share/redmine")
RT_KEEPS, REDMINE_KEEPS = 30_000, 30 * 1024
"""Bytes of a file that the servers here take."""
START_S = 120

RT_CONFIG = """
Set($rtname, "pcapdx"); Set($Organization, "pcapdx.example");
Set($CorrespondAddress, 'rt@pcapdx.example'); Set($CommentAddress, 'rtc@pcapdx.example');
Set($DatabaseType, "SQLite"); Set($DatabaseName, "{folder}/rt.sqlite");
Set($WebPath, ""); Set($WebBaseURL, "http://127.0.0.1:{port}"); Set($WebDomain, "127.0.0.1"); Set($WebPort, {port});
Set($MailCommand, "testfile"); Set($LogToSyslog, undef); Set($LogToFile, undef); Set($LogToSTDERR, "error");
Set($BcryptCost, 10); Set($MaxAttachmentSize, {keeps}); Set($DropLongAttachments, 1);
$RT::MasonDataDir = "{folder}/mason"; $RT::MasonSessionDir = "{folder}/session"; $RT::VarPath = "{folder}";
1;
"""
RT_PEOPLE = """
use lib '/usr/share/request-tracker5/lib'; use RT -init; use RT::User; use RT::AuthToken; use RT::Ticket;
my $queue = RT::Queue->new(RT->SystemUser); $queue->Load('General');
my %rights = (operator => [qw(SeeQueue ShowTicket ShowTicketComments CommentOnTicket)],
  reader => [qw(SeeQueue ShowTicket)], writer => [qw(SeeQueue ShowTicket CommentOnTicket)], outsider => []);
for my $name (sort keys %rights) {
  my $user = RT::User->new(RT->SystemUser);
  my ($id, $said) = $user->Create(Name => $name, Privileged => 1, Password => $ENV{RT_PASSWORD}); die $said unless $id;
  my ($ok, $why, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->Id, Description => 'test');
  die $why unless $ok;
  $user->PrincipalObj->GrantRight(Right => $_, Object => $queue) for @{$rights{$name}};
  print "$name $token\\n";
}
for (1 .. $ARGV[0]) {
  my ($id, $tx, $why) = RT::Ticket->new(RT->SystemUser)->Create(Queue => 'General', Subject => 'network down');
  die $why unless $id; print "ticket $id\\n";
}
"""
REDMINE_PEOPLE = """
Setting.rest_api_enabled = '1'; Setting.attachment_max_size = '{keeps}'
status = IssueStatus.create!(name: 'New'); kind = Tracker.create!(name: 'Fault', default_status: status)
IssuePriority.create!(name: 'Normal')
project = Project.create!(name: 'P', identifier: 'p', is_public: false, trackers: [kind],
  enabled_module_names: ['issue_tracking'])
rights = {{'operator' => [:view_issues, :add_issue_notes, :edit_issues], 'reader' => [:view_issues], 'outsider' => nil}}
rights.each do |name, may|
  user = User.new(firstname: name, lastname: 'x', mail: "#{{name}}@pcapdx.example", language: 'en')
  user.login = name; user.password = user.password_confirmation = ENV['REDMINE_PASSWORD']; user.save!
  Member.create!(project: project, user: user, roles: [Role.create!(name: name, permissions: may)]) if may
  puts "#{{name}} #{{user.api_key}}"
end
{tickets}.times do
  issue = Issue.create!(project: project, tracker: kind, subject: 'network down', status: status,
    author: User.find_by_login('admin'), priority: IssuePriority.first)
  puts "ticket #{{issue.id}}"
end
"""
TICKETS = 40


@dataclass(slots=True, kw_only=True)
class Server:
    """A tracker that runs; each test takes a ticket of its own."""

    kind: str
    url: str
    secrets: Mapping[str, str]
    """Token or key by user."""
    password: str
    tickets: list[str]
    folder: Path
    start: Callable[[int], AbstractContextManager[int]]
    """One more process of it on that port, from its first answer on; yields its process group."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ticket(self) -> str:
        """One that nobody has used."""
        return self.tickets.pop()


def free_port() -> int:
    """A port that nobody has, of those that the system gives to no connection by itself."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, url: str) -> Iterator[int]:
    """A server in a process group of its own, from its first answer on."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, cwd=cwd, stdout=out, stderr=out, start_new_session=True)
    try:
        until = time.monotonic() + START_S
        while not _answers(url):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < until, log.read_text(errors="replace")
            time.sleep(0.1)
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _run(*command: str, env: Mapping[str, str], cwd: Path) -> str:
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _server(
    kind: str,
    url: str,
    password: str,
    folder: Path,
    pairs: Sequence[Sequence[str]],
    start: Callable[[int], AbstractContextManager[int]],
) -> Server:
    """From the pairs that a set-up printed: a user's name and secret, or ``ticket`` and a number."""
    return Server(
        kind=kind,
        url=url,
        secrets={name: secret for name, secret in pairs if name != "ticket"},
        password=password,
        tickets=[number for name, number in pairs if name == "ticket"],
        folder=folder,
        start=start,
    )


@contextmanager
def request_tracker(folder: Path) -> Iterator[Server]:
    """Request Tracker 5 with SQLite."""
    if not (RT_HOME / "libexec/standalone_httpd").exists() or shutil.which("rt-setup-database-5") is None:
        pytest.skip("Request Tracker is not installed: apt install request-tracker5 rt5-db-sqlite rt5-standalone")
    port, password = free_port(), secrets.token_urlsafe(12)
    for name in ("mason", "session", "config.d"):
        (folder / name).mkdir()
    config = folder / "RT_SiteConfig.pm"
    config.write_text(RT_CONFIG.format(folder=folder, port=port, keeps=RT_KEEPS * 4 // 3))
    told = {"RT_SITE_CONFIG": str(config), "RT_SITE_CONFIG_DIR": str(folder / "config.d"), "RT_PASSWORD": password}
    env = {**os.environ, **told}
    _run("rt-setup-database-5", "--action", "init", "--skip-create", env=env, cwd=folder)
    pairs = [line.split() for line in _run("perl", "-e", RT_PEOPLE, str(TICKETS), env=env, cwd=folder).splitlines()]
    url = f"http://127.0.0.1:{port}"
    server = str(RT_HOME / "libexec/standalone_httpd")

    def start(port: int) -> AbstractContextManager[int]:
        command = [server, "--server", "Starlet", "--host", "127.0.0.1", "--port", str(port), "--max-workers", "2"]
        return running(command, env, folder, folder / f"{port}.log", f"http://127.0.0.1:{port}/REST/2.0/rt")

    with start(port):
        yield _server("rt", url, password, folder, pairs, start)


@contextmanager
def redmine(folder: Path) -> Iterator[Server]:
    """Redmine with SQLite: an instance of its own, which Debian's package looks for below its own folder."""
    if not (REDMINE_HOME / "config.ru").exists() or shutil.which("puma") is None:
        pytest.skip("Redmine is not installed: apt install redmine redmine-sqlite puma")
    port, password = free_port(), secrets.token_urlsafe(12)
    for name in ("config", "files", "log", "tmp", "public"):
        (folder / name).mkdir()
    database = f"production:\n  adapter: sqlite3\n  database: {folder}/redmine.sqlite\n  timeout: 20000\n"
    (folder / "config/database.yml").write_text(database)
    (folder / "config/secret_key.txt").write_text(secrets.token_hex(32))
    told = {
        "REDMINE_INSTANCE": os.path.relpath(folder, REDMINE_HOME / "instances"),
        "RAILS_ENV": "production",
        "SCHEMA": str(folder / "schema.rb"),
        "REDMINE_PASSWORD": password,
    }
    env = {key: value for key, value in os.environ.items() if key != "X_DEBIAN_SITEID"} | told
    people = folder / "people.rb"
    people.write_text(REDMINE_PEOPLE.format(keeps=REDMINE_KEEPS // 1024, tickets=TICKETS))
    _run("bin/rails", "db:migrate", env=env, cwd=REDMINE_HOME)
    pairs = [line.split() for line in _run("bin/rails", "runner", str(people), env=env, cwd=REDMINE_HOME).splitlines()]
    url = f"http://127.0.0.1:{port}"

    def start(port: int) -> AbstractContextManager[int]:
        command = ["puma", "-e", "production", "-t", "1:4", "-b", f"tcp://127.0.0.1:{port}", "config.ru"]
        return running(command, env, REDMINE_HOME, folder / f"{port}.log", f"http://127.0.0.1:{port}/issues/1.json")

    with start(port):
        yield _server("redmine", url, password, folder, pairs, start)
