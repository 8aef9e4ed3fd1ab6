"""Doors: each parses, verifies, maps and produces. A connector states its guarantee, its resume point and its back-pressure."""
