"""The database of a management server: MariaDB, with nothing in it but a user."""

from captures.lab.cloud import Machine
from captures.lab.namespaces import command, until

PASSWORD = "ch4ngeTheP4ss"


def database(machine: Machine, users: dict[str, str], *options: str) -> str:
    """Start MariaDB for these users (name: host that it may come from); returns their password."""
    folder = machine.lab.folder / f"{machine.label}-mysql"
    socket = folder / "mysqld.sock"
    command("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}", "--skip-test-db")
    words = ("mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}", f"--socket={socket}")
    network = ("--bind-address=0.0.0.0", "--skip-name-resolve", f"--pid-file={folder}/pid")
    machine.ns.spawn(*words, *network, *options)
    client = ("mariadb", "--no-defaults", "-uroot", f"--socket={socket}")
    until(lambda: machine.ns.run(*client, "-e", "select 1", check=False).returncode == 0, "MariaDB runs", 40)
    for user, host in users.items():
        grant = f"create user '{user}'@'{host}' identified by '{PASSWORD}'"
        machine.ns.run(*client, "-e", grant)
    return PASSWORD


def login(machine: Machine, server: str, user: str, password: str) -> None:
    """Log in without TLS and ask for the time, whatever comes of it."""
    words = ("mariadb", "--no-defaults", "--skip-ssl", "-h", server, f"-u{user}", f"-p{password}", "-e", "select now()")
    machine.ns.run(*words, check=False, seconds=10)
