"""The dissector pack of pcapdx: one module (or folder) a protocol, each of which ends in the constant ``DISSECTOR``."""
