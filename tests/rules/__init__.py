"""Tests of rules: guards and boundaries; what labelled captures show is tested with them."""
