"""The few exceptions that stop a run.

Odd traffic and damaged files are data (:class:`pcapdx.model.Anomaly`), not exceptions; these three are for runs that
cannot start or go on. Each message is one sentence for a person.
"""


class PcapdxError(Exception):
    """Parent of the errors that end a run with exit status 2."""


class CaptureError(PcapdxError):
    """A capture cannot be opened or is no capture: missing, a directory, unreadable, empty or of unknown format."""


class SiteError(PcapdxError):
    """A site profile cannot be read, or a value in it is wrong; the message names file, key and what is expected."""
