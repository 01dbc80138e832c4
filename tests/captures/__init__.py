"""Tests of the captures and of the lab that records them."""
