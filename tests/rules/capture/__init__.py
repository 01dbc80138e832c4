"""Tests of the rules of capture."""
