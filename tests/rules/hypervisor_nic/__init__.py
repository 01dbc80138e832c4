"""Tests of the rules of hypervisor_nic."""
