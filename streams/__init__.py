"""The pipeline: topics, transport, outbox, recovery, agents, and the one file that wires them."""
