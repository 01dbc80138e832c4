"""The lab: real daemons in network namespaces, recorded with tcpdump, labelled by what was done to the network.

``python -m captures.lab record NAME`` builds the network of a scenario, records it, and writes the capture with its
truth file. Nothing here imports pcapdx: a truth never depends on what pcapdx says.
"""
