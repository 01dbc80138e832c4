"""The command ``pcapdx attach``: parses, calls, prints."""

import click

_FILE = click.Path(exists=True, dir_okay=False)


@click.command()
@click.argument("ticket")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@click.option("--tracker", "name", help="A table of the configuration file, or one of rt, redmine, jira, mail.")
@click.option("--url", help="Its address, where the configuration does not tell it.")
@click.option("--ca", type=click.Path(dir_okay=False), help="Certificates to trust in place of the system's (PEM).")
@click.option("--comment", default="", help="Words of your own before the diagnosis.")
@click.option("--evidence-only", is_flag=True, help="Keep only the proving frames of what is too large.")
@click.option("--dry-run", is_flag=True, help="Look at the ticket, show all that would be sent, send nothing.")
@click.option("--link", is_flag=True, help="Print the comment's address; with --dry-run the ticket's.")
@click.option("--i-know-it-is-not-masked", "unmasked", is_flag=True, help="Take files that do not show to be masked.")
def attach(
    ticket: str,
    files: tuple[str, ...],
    name: str | None,
    url: str | None,
    ca: str | None,
    comment: str,
    evidence_only: bool,
    dry_run: bool,
    link: bool,
    unmasked: bool,
) -> None:
    """Put bundles, annotated captures and reports on TICKET with a short comment, once.

    Trackers are Request Tracker, Redmine, Jira, and mail. In ~/.config/pcapdx/attach.toml each has a table, named as
    you like: kind, url, user, secret, ca, limit (bytes of a file), timeout (seconds); for mail also from, to, subject.

    The secret (token, API key, password) is read from PCAPDX_<TRACKER>_SECRET, else from the keyring (service pcapdx,
    user <TRACKER>), else from that file, which nobody but you may read; a user from PCAPDX_<TRACKER>_USER or the file.

    What is too large for the tracker is split, and the comment says how to put it together. After a lost connection
    the ticket is looked at before anything is sent again, and the same command run twice posts once. Nobody can look
    at mail: a mail that may have arrived is not sent again.
    """
    from pcapdx.attach import attach as run
    from pcapdx.attach.kinds import kinds
    from pcapdx.attach.settings import settings_of
    from pcapdx.report.escape import plain

    given = run.read(files, unmasked=unmasked)
    settings = settings_of(name, url, ca, kinds())
    planned = run.plan(settings, ticket, given, comment=comment, evidence_only=evidence_only)
    for remark in planned.remarks:
        click.echo(f"pcapdx: {plain(remark)}", err=True)
    if dry_run:
        for line in [*run.shown(planned), *([planned.ticket.link] if link else [])]:
            click.echo(plain(line))
        return
    posted = run.attach(planned)
    for line in run.told(planned, posted):
        click.echo(plain(line), err=True)
    if link:
        click.echo(plain(posted[0].link or planned.ticket.link))
