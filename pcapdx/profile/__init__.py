"""Writes site profiles: an empty one with every key explained, or one filled from CloudStack's API."""
