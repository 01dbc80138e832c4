"""Claimed frames in, messages and exchanges out: runs the dissectors, and puts TCP streams together for them."""
