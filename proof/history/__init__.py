"""History: both logs folded again with the agents' own steps, up to a moment, around an order, or under other rules.

Reads: the logs. Writes: nothing but snapshots, a cache of its own folds. Guarantees: a fold is what a worker's rows
were at that position, because the routing (`streams.partition`) and the steps are the worker's own; they are handed in,
as roles. Start reading at `fold`. Does not belong here: rules, commands, HTTP.
"""
