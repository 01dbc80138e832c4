"""What is analysed where nothing is disguised: just what was given. A disguise does otherwise, command by command."""

from collections.abc import Mapping, Sequence

from pcapdx.case import Case
from pcapdx.diagnose import Analysis
from pcapdx.report.document import Document
from pcapdx.site import Site
from pcapdx.vantage import CaptureArgument


class Plain:
    """Captures and profile as given."""

    hides = False
    """What was given is replaced."""

    def __init__(self, arguments: Sequence[CaptureArgument], site: Site | None) -> None:
        self.arguments = tuple(arguments)
        self.site = site
        self.originals = self.arguments
        self.lost: tuple[str, ...] = ()
        """Codes of findings that the originals and what is analysed do not share."""

    @property
    def files(self) -> tuple[str, ...]:
        """Files beside those that are analysed which nothing may be written over."""
        return ()

    def as_damaged(self, case: Case) -> None:
        """Makes a case tell of the container what the originals tell."""

    def like_original(self, analysis: Analysis) -> None:
        """The same of an analysis, which may then be compared with the originals'."""

    def shown(self, document: Document) -> Document:
        """The report as it is to be seen."""
        return document

    def renamed(self, digests: Mapping[str, str]) -> dict[str, str]:
        """Digests by the names in the report."""
        return dict(digests)
