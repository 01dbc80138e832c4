"""Tests of the rules of vlan_trunk."""
