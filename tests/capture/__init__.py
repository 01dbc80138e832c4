"""Tests of the reading of captures."""
