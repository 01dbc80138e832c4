"""Annotated captures: pcapng with findings and proofs as comments on their frames, secrets overwritten."""
