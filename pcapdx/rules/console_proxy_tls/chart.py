"""TLS at a glance: how far each handshake came, step by step, and how it ended."""

from dissectors.tls import Alert, Reaction, TlsHandshake
from pcapdx.case import View
from pcapdx.chart import MOST_LANES, Chart, Lane, Mark, MarkKind
from pcapdx.dissect import End, Seen
from pcapdx.rules.definitions.windows import SECOND


def progress(view: View) -> Chart | None:
    """A lane a handshake, from its SYN on; those that failed first. None without any."""
    shakes = [one for one in view.exchanges(TlsHandshake) if one.client_hello or one.server_hello]
    if not shakes:
        return None
    failed_first = sorted(shakes, key=lambda one: one.completed is not False)
    lanes = tuple(map(_lane, failed_first[:MOST_LANES]))
    reached = [end for lane in lanes for _, end in lane.bars]
    return Chart(
        title="TLS handshakes, each from its first frame on",
        legend="circle: the client's SYN and hello; filled: what came of them; cross: an alert, or a reset",
        lanes=lanes,
        begin_ns=0,
        end_ns=min(max(reached), 100 * SECOND),
        logarithmic=True,
        left_out=len(shakes) - len(lanes),
    )


def _lane(one: TlsHandshake) -> Lane:
    flow = one.flow
    moments = [half.first_ns for half in (flow.originator, flow.responder) if half.first_ns is not None]
    hellos = [seen for seen in (one.client_hello, one.server_hello, one.chain) if seen is not None]
    origin = min(moments) if moments else hellos[0].ts_ns
    syn, answer = flow.originator.first_syn_ns, flow.responder.first_syn_ns
    marks = [
        *((at, MarkKind.ASKED) for at in (syn, _when(one.client_hello)) if at is not None),
        *((at, MarkKind.ANSWERED) for at in (answer,) if at is not None),
        *((seen.ts_ns, MarkKind.ANSWERED) for seen in (one.server_hello, one.chain) if seen is not None),
        *((seen.ts_ns, MarkKind.FAILED) for seen in _alerts(one)),
    ]
    reset = [half.rst_ns for half in (flow.originator, flow.responder) if half.rst_ns is not None]
    if one.completed is not True:
        marks.extend((at, MarkKind.FAILED) for at in reset)
    last = max(at for at, _ in marks)
    return Lane(
        label=f"{one.client} to {one.server}:{one.port}",
        bars=((0, last - origin),),
        marks=tuple(Mark(at_ns=at - origin, kind=kind) for at, kind in marks),
        note=_outcome(one, bool(reset)),
    )


def _when(seen: Seen[object] | None) -> int | None:
    return None if seen is None else seen.ts_ns


def _alerts(one: TlsHandshake) -> list[Seen[Alert]]:
    return [seen for seen in (*one.client_alerts, *one.server_alerts) if not seen.message.harmless]


def _outcome(one: TlsHandshake, reset: bool) -> str:
    if one.completed:
        return "completed"
    for who, alerts in (("client", one.client_alerts), ("server", one.server_alerts)):
        told = [seen.message for seen in alerts if not seen.message.harmless]
        if told:
            return f"{who}: {told[0].label.removeprefix('Alert').strip(' ()') or 'alert'}"
    if one.reaction is Reaction.REJECTED:
        return "client rejects"
    if reset:
        return "reset"
    if one.server_hello is None:
        return "no answer to the hello"
    return "closed early" if one.ended_how is End.FIN and one.completed is False else "its end not seen"
