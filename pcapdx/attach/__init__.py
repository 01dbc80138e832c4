"""Puts reports and evidence on a ticket: one file a tracker behind one interface, nothing unmasked, nothing twice."""
