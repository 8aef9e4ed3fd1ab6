"""The agents: each a pure step over its log, and a loop of a few lines."""
