"""The command line: each command parses, makes one call, prints, exits. What is heavy is imported where it is used.

Exit status: 0 nothing at or above ``--fail-on``, 1 threshold reached, 2 could not run, 3 ran on damaged input and the
result is partial. The report goes to standard output, words for people to standard error.
"""

import gc
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pcapdx import __version__
from pcapdx.attach.command import attach
from pcapdx.errors import PcapdxError
from pcapdx.options import disguise_of, disguise_options, payload_of, payload_option, report_options, write
from pcapdx.outfile import never_over
from pcapdx.process import COULD_NOT_RUN, run_to_end
from pcapdx.profile.command import site

if TYPE_CHECKING:
    from pcapdx.diagnose import Analysis
    from pcapdx.report.document import Document

THRESHOLD_REACHED, PARTIAL = 1, 3


class _Commands(click.Group):
    """Silent when the reader of standard output has gone (head, less); click itself would exit with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush at exit
            sys.exit(0)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pcapdx", message="%(prog)s %(version)s")
def cli() -> None:
    """Names the root cause of CloudStack network faults in packet captures, and proves it by frame numbers."""


@cli.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@report_options
@click.option("--decode", is_flag=True, help="Add the evidence frames, decoded (by tshark, or without it by pcapdx).")
@click.option("--sha256", is_flag=True, help="Put each file's SHA-256 into the report (reads every file twice).")
@disguise_options
def analyze(
    captures: tuple[str, ...],
    site_path: str | None,
    form: str,
    output: str | None,
    fail_on: str | None,
    decode: bool,
    sha256: bool,
    anonymize: bool,
    key_path: str | None,
) -> None:
    """Diagnose captures of one incident.

    CAPTURE is [NAME[:ROLE]=]PATH, or - for standard input. Roles: tap, bridge, vlan, nic, bond, trunk, router, any.
    Several captures stand in the order of the path, client side first; the same NAME twice is one capture in pieces.
    """
    from pcapdx.diagnose import analyze as run
    from pcapdx.plugins import load
    from pcapdx.progress import on_terminal
    from pcapdx.report.document import document_of
    from pcapdx.vantage import parse_argument

    arguments, site, plugins = [parse_argument(one) for one in captures], _site(site_path), load()
    if output:
        never_over(output, [one.path for one in arguments])
    digests = {}
    with ExitStack() as stack:
        disguise = stack.enter_context(disguise_of(arguments, plugins, site, anonymize, key_path))
        if sha256:
            from pcapdx.digest import digests_of

            digests = digests_of(disguise.originals)
        with on_terminal(disguise.arguments) as progress:
            analysis = run(disguise.arguments, plugins, site=disguise.site, stdin=sys.stdin.buffer, progress=progress)
        disguise.like_original(analysis)
        document = document_of(analysis, disguise.renamed(digests))
        trees = ""
        if decode or form == "html":
            from pcapdx.report.decoded import decoded

            trees = decoded(document, analysis.case, by_tshark=decode)
        document = disguise.shown(document)
    write(_rendered(document, analysis, form, output, trees), output)
    _exit(analysis, document, fail_on)


@cli.command()
@click.argument("interface")
@report_options
@click.option("--filter", "expression", default="", help="Capture filter (pcap-filter(7)).")
@click.option("--duration", type=float, metavar="SECONDS", help="Stop by itself.")
def live(
    interface: str,
    site_path: str | None,
    form: str,
    output: str | None,
    fail_on: str | None,
    expression: str,
    duration: float | None,
) -> None:
    """Capture on INTERFACE (bridge, tap, nic; - for a pipe), tell findings as they become certain, report at the end.

    ssh://[USER@]HOST[:PORT]/INTERFACE captures on another host, which needs nothing but tcpdump. Ctrl-C stops it.
    """
    from pcapdx.live.session import Session, interface_argument
    from pcapdx.live.stop import on_interrupt
    from pcapdx.plugins import load
    from pcapdx.report.document import document_of
    from pcapdx.report.escape import plain

    gc.enable()  # this may go on for days
    argument, site = interface_argument(interface), _site(site_path)
    with (
        on_interrupt() as stopped,
        Session(argument, load(), site=site, expression=expression, stdin=sys.stdin.buffer) as session,
    ):
        click.echo(f"capturing on {plain(interface)}; Ctrl-C ends it", err=True)
        for one in session.findings(stopped.is_set, duration):
            finding = one.finding
            click.echo(f"{finding.severity.value} {finding.code}  {plain(finding.summary)}", err=True)
        analysis = session.finish()
        if session.last_words is not None:
            click.echo(f"pcapdx: the capture ended by itself: {plain(session.last_words)}", err=True)
    document = document_of(analysis)
    write(_rendered(document, analysis, form, output, ""), output)
    _exit(analysis, document, fail_on)


@cli.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("--format", "form", type=click.Choice(["table", "jsonl", "csv"]), default="table", show_default=True)
@click.option("--protocol", "protocols", multiple=True, help="Only this dissector's messages; may be repeated.")
@disguise_options
def messages(
    captures: tuple[str, ...], form: str, protocols: tuple[str, ...], anonymize: bool, key_path: str | None
) -> None:
    """Show what the dissectors saw, secrets masked."""
    from pcapdx.case import Case
    from pcapdx.diagnose import open_all, read_view
    from pcapdx.listing import render
    from pcapdx.plugins import load
    from pcapdx.site import Site
    from pcapdx.vantage import parse_argument

    plugins = load()
    known = {one.name for one in plugins.dissectors}
    if unknown := set(protocols) - known:
        raise PcapdxError(f"no dissector named {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    arguments = [parse_argument(one) for one in captures]
    with disguise_of(arguments, plugins, None, anonymize, key_path) as disguise:
        views = tuple(
            read_view(argument, reader, plugins.dissectors, Site(), thin_out=False)
            for argument, reader in open_all(disguise.arguments, sys.stdin.buffer)
        )
        disguise.as_damaged(case := Case(views=views))
    for line in render(case, form, protocols):
        click.echo(line)
    if any(not view.capture.complete for view in views):
        sys.exit(PARTIAL)


@cli.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("-o", "--output", required=True, type=click.Path(), help="File to write; a folder for several captures.")
@click.option("--site", "site_path", type=click.Path(dir_okay=False), help="Site profile (TOML).")
@click.option(
    "--evidence-only", is_flag=True, help="Only the evidence with its exchanges; comments tell frame numbers."
)
@click.option("--merge", is_flag=True, help="Several captures in one file, clocks corrected.")
@click.option("--no-mask", is_flag=True, help="Leave passwords, keys and tokens in it.")
@click.option("--keep-secrets", is_flag=True, help="Keep blocks of TLS keys to decrypt with.")
@payload_option
@disguise_options
def annotate(
    captures: tuple[str, ...],
    output: str,
    site_path: str | None,
    evidence_only: bool,
    merge: bool,
    no_mask: bool,
    keep_secrets: bool,
    payload: str | None,
    anonymize: bool,
    key_path: str | None,
) -> None:
    """Write captures as pcapng with findings and proofs as comments on their frames, secrets masked.

    CAPTURE is as for analyze. Wireshark shows the comments; frame numbers and times stay.
    """
    from pcapdx.annotate.annotate import Settings, on_disk
    from pcapdx.annotate.annotate import annotate as run
    from pcapdx.plugins import load
    from pcapdx.progress import on_terminal
    from pcapdx.report.escape import plain
    from pcapdx.vantage import parse_argument

    if merge and keep_secrets:
        raise PcapdxError("--keep-secrets does not go with --merge")
    if anonymize and (no_mask or keep_secrets):
        raise PcapdxError("--no-mask and --keep-secrets do not go with --anonymize")
    plugins, site, kept = load(), _site(site_path), payload_of(payload, anonymize)
    settings = Settings(
        mask=not no_mask,
        keep_secrets=keep_secrets,
        evidence_only=evidence_only,
        merge=merge,
        payload=kept,
        pseudonyms=anonymize,
    )
    given = [parse_argument(one) for one in captures]
    with disguise_of(given, plugins, site, anonymize, key_path, kept) as disguise:
        with on_disk(disguise.arguments, sys.stdin.buffer) as arguments, on_terminal(arguments) as progress:
            analysis, written = run(
                arguments, plugins, Path(output), settings, site=disguise.site, progress=progress, spare=disguise.files
            )
        disguise.like_original(analysis)
        for one in written:
            counted = f"{one.frames:,} frames, comments on {one.commented:,}"
            click.echo(f"{plain(str(one.path))}: {counted}. {plain(one.masked)}", err=True)
    if analysis.partial:
        sys.exit(PARTIAL)


@cli.command()
@click.argument("ticket")
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File to write.  [default: TICKET.zip]")
@click.option("--site", "site_path", type=click.Path(dir_okay=False), help="Site profile (TOML).")
@payload_option
@disguise_options
def bundle(
    ticket: str,
    captures: tuple[str, ...],
    output: str | None,
    site_path: str | None,
    payload: str | None,
    anonymize: bool,
    key_path: str | None,
) -> None:
    """Write one zip for TICKET: reports, the evidence as annotated captures with secrets masked, a manifest.

    CAPTURE is as for analyze. Equal input gives equal bytes.
    """
    from pcapdx.annotate.annotate import on_disk
    from pcapdx.bundle import bundle as run
    from pcapdx.plugins import load
    from pcapdx.progress import on_terminal
    from pcapdx.report.escape import plain
    from pcapdx.vantage import parse_argument

    target = Path(output or f"{ticket}.zip")
    given = [parse_argument(one) for one in captures]
    never_over(target, [one.path for one in given])
    plugins, site, kept = load(), _site(site_path), payload_of(payload, anonymize)
    with (
        disguise_of(given, plugins, site, anonymize, key_path, kept) as disguise,
        on_disk(disguise.arguments, sys.stdin.buffer) as arguments,
        on_terminal(arguments) as progress,
    ):
        analysis, written = run(
            ticket, arguments, plugins, target, site=disguise.site, progress=progress, payload=kept, disguise=disguise
        )
    masked = " ".join(dict.fromkeys(one.masked for one in written))
    click.echo(f"{plain(str(target))}: 4 reports, {len(written)} annotated. {plain(masked)}", err=True)
    if analysis.partial:
        sys.exit(PARTIAL)


cli.add_command(attach)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--key", "key_path", type=click.Path(dir_okay=False), help="File with the key.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file.")
def reveal(file: str, key_path: str | None, output: str | None) -> None:
    """Translate a text with pseudonyms back: FILE or - for standard input, any report or comment.

    Needs the key that --anonymize left on this machine.
    """
    from pcapdx.anonymize.keyfile import load
    from pcapdx.anonymize.reveal import revealed

    key = load(Path(key_path) if key_path else None, make=False)
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise PcapdxError(f"{file}: {error.strerror or error}") from None
    write(revealed(data, key), output)


@cli.command()
def rules() -> None:
    """List every rule: code, topic, severity, name."""
    from pcapdx.plugins import load

    for rule in load().rules:
        grade = rule.severity.value if rule.severity else "proof"
        click.echo(f"{rule.code:<8}  {rule.topic.value:<18}  {grade:<8} {rule.name}")


@cli.command()
@click.argument("code")
def explain(code: str) -> None:
    """Print the manual page of a rule (VLAN001) or dissector (dhcp)."""
    from pcapdx.plugins import load

    plugins = load()
    for key in (code.upper(), code.lower(), code):
        if key in plugins.pages:
            click.echo(plugins.pages[key].strip())
            return
    raise PcapdxError(f"no rule or dissector named {code}; pcapdx rules and pcapdx dissectors list them")


cli.add_command(site)


@cli.command()
def dissectors() -> None:
    """List every dissector, what it reads and from which pack it came."""
    from pcapdx.plugins import load

    plugins = load()
    for one in plugins.dissectors:
        yields = ", ".join(kind.__name__ for kind in one.messages)
        click.echo(f"{one.name:<16} {plugins.modules[one.name]:<28} {one.spec}; yields {yields}")


@cli.command()
def doctor() -> None:
    """Check this installation: packs, packages, tshark and the tools for live capture."""
    from pcapdx.doctor import checks
    from pcapdx.plugins import load

    found = list(checks(load()))
    for one in found:
        click.echo(f"{'ok' if one.ok else 'no':<3} {one.what:<18} {one.detail}")
    if any(one.needed and not one.ok for one in found):
        sys.exit(COULD_NOT_RUN)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell; load it with: eval "$(pcapdx completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise PcapdxError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "pcapdx", "_PCAPDX_COMPLETE").source())


def _site(path: str | None) -> Any:
    if path is None:
        return None
    from pcapdx.site import load_site

    return load_site(Path(path))


def _rendered(document: "Document", analysis: "Analysis", form: str, output: str | None, trees: str) -> str:
    if form == "json":
        from pcapdx.report import json as as_json

        return as_json.render(document)
    if form == "html":
        from pcapdx.report import html
        from pcapdx.report.pictures import pictures_of

        return html.render(document, pictures_of(analysis, document), decoded=trees)
    if form in ("md", "jira"):
        from pcapdx.report import markdown

        flavour = markdown.JIRA if form == "jira" else markdown.MARKDOWN
        return markdown.render(document, decoded=trees, flavour=flavour)
    if form == "sarif":
        from pcapdx.report import sarif

        return sarif.render(document)
    from pcapdx.report import terminal, text

    colours = output is None and terminal.wants_colour()
    style = terminal.style if colours else lambda words, kind: words
    return text.render(document, width=terminal.width(output), style=style) + (f"\n{trees}" if trees else "")


def _exit(analysis: "Analysis", document: "Document", fail_on: str | None) -> None:
    grades = ("error", "warning", "info")
    if fail_on and any(grades.index(one.severity) <= grades.index(fail_on) for one in document.findings):
        sys.exit(THRESHOLD_REACHED)
    if analysis.partial:
        sys.exit(PARTIAL)


def main() -> None:
    """The console script."""
    run_to_end(lambda: cli.main(standalone_mode=False))
