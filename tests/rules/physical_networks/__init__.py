"""Tests of the rules of physical_networks."""
