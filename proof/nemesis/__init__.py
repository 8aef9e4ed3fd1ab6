"""Faults on real processes and real brokers, by seed, counted: nothing here is imported by the product.

`plan` chooses (pure), `workers`, `broker`, `proxy`, `stores` and `noise` do harm, `run` brings them together and
judges, `figures` counts, `report` writes what came out of it.
"""
