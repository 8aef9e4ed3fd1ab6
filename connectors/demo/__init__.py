"""A jerky brand that never was: its catalogue, its customers, its bad days. Seeded."""
