"""Frames in, columns and tables out: the one compiled pass over everything.

Ethernet to TCP and the tunnels, no further.
"""
