"""How long and how often: the thresholds that rules share, each with what it rests on. Times in nanoseconds."""

SECOND = 1_000_000_000

DHCP_ANSWER = 5 * SECOND
"""A server's answer comes within this: a 3 s conflict ping, a relay and jitter; a virtual router needs < 0.5 s."""
DHCP_TRIES = 3
"""Unanswered DISCOVERs of one client: a dnsmasq restart at an instance's start eats one or two."""
DHCP_SPREAD = 10 * SECOND
"""Over at least this long."""

ARP_TRIES = 3
"""The kernel's own limit."""
ARP_SPREAD = 2 * SECOND
ARP_RETRY = 10 * SECOND
"""Linux asks once a second, others less often; who is answered keeps the answer for 15 s at least (RFC 4861 times)."""
ARP_AFTER = 2 * SECOND
"""The capture must run on so long after the last request."""

SYN_TRIES = 3
SYN_SPREAD = 2 * SECOND
"""Linux repeats a SYN after 1, 2, 4 s (kernels from 6.5 on: 1 s four times first)."""
SYN_THIRD = 3 * SECOND
"""When the third SYN of a connection is sent that is repeated once more, at the latest (RFC 6298: after 1 and 2 s)."""
SYN_AFTER = 3 * SECOND

RESET_WITHIN = 1 * SECOND
"""A refusal comes at once; a later RST is something else."""

HTTP_ANSWER = 20 * SECOND
"""wget's read time-out in CloudStack's password script (cloud-set-guest-password.in)."""
PASSWORD_ACK = 60 * SECOND
"""A slow guest runs chpasswd, then acknowledges."""
PASSWORD_ASK = 180 * SECOND
"""After the boot's DHCP ACK: cloud-init may wait 120 s for metadata first."""
BOOT = 120 * SECOND
"""Slow firmware and file system checks before the first frame."""

TWO_PATHS = 20
"""Frames that show a path works for others."""
BURST = 5
"""Excludes one lost burst."""
REPETITION = 3
"""Proves repetition."""

CAUSE_SLACK = 2 * SECOND
"""A cause may be seen this much later than its consequence."""
