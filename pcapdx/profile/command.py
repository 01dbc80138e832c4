"""The commands ``pcapdx site …``."""

import click

from pcapdx.options import write


@click.group()
def site() -> None:
    """Make a site profile: what you know of the cloud and no capture tells."""


@site.command("init")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file.")
def site_init(output: str | None) -> None:
    """Write an empty profile in which every key is explained."""
    from pcapdx.profile.toml import template

    write(template(), output)


@site.command("from-cloudstack")
@click.argument("url")
@click.option("--zone", default="", help="Name or id of the zone, where there are several.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file.")
def site_from_cloudstack(url: str, zone: str, output: str | None) -> None:
    """Fill a profile from the CloudStack API at URL (https://cloud.example.com/client/api).

    The keys are read from CLOUDSTACK_KEY and CLOUDSTACK_SECRET, and stored nowhere.
    """
    from datetime import UTC, datetime

    from pcapdx.profile.cloudstack import connect, fetch
    from pcapdx.profile.toml import dumps
    from pcapdx.report.escape import plain

    fetched = fetch(connect(url), zone)
    remarks = [f"from {plain(url)} at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; what has changed since is a hint only"]
    for refused in fetched.refused:
        click.echo(f"not answered, left out: {plain(refused)}", err=True)
        remarks.append(f"not answered, left out: {plain(refused)}")
    write(dumps(fetched.site, tuple(remarks)), output)
