"""Addresses, MACs and names replaced by pseudonyms, the same ones everywhere, and translated back with the key."""
