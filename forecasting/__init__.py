"""Demand -> features -> models -> policy, pure, and a consumer around it."""
