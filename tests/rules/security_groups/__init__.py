"""Tests of the rules of security_groups."""
