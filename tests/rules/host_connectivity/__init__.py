"""Tests of the rules of host_connectivity."""
