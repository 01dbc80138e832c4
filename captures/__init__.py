"""Labelled captures of real daemons, and the lab that records them."""
