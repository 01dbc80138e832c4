"""A picture by matplotlib as an SVG element for a page: text stays text, and the same picture is the same bytes."""

import io
import warnings
from collections.abc import Callable
from typing import Any

from pcapdx.report.escape import markup

FONT_PT = 8.5
CHARACTER_IN = 0.62 * FONT_PT / 72
"""A character's width in any sans-serif font, rather too much than too little."""
INK, SOFT, LINE = "#14171c", "#5b6472", "#c3c8d1"


def svg(width_in: float, height_in: float, paint: Callable[[Any], None], words: str) -> str:
    """The element; ``paint`` draws on axes in inches from the top left, ``words`` are for those who cannot see it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "svg.hashsalt": "pcapdx",
        "font.size": FONT_PT,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that matplotlib's own font lacks: the reader's browser has them
        figure = Figure(figsize=(width_in, height_in))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width_in), ylim=(height_in, 0))
        axes.set_axis_off()
        paint(axes)
        picture = io.StringIO()
        figure.savefig(
            picture, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    drawn = picture.getvalue()
    return drawn[drawn.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{markup(words)}"', 1)
