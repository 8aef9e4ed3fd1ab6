"""The auditor: reads the topics from outside and works out again, by a fold of its own, what they had to say.

Reads: both logs, both changelogs, `reservations`, `order-status`, `stock-levels`, `dead-letters`. Writes: nothing.
Guarantees: shares no rule with the agents (only record definitions, bytes <-> records, and murmur2), so that one error
is not made twice. Start reading at `core`.
"""
