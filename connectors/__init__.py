"""Doors: each parses, verifies, maps and produces, and states its guarantee, its resume point, its back-pressure."""
