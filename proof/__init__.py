"""Proof: the auditor, with a fold of its own."""
