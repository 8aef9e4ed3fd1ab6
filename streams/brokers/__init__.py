"""Brokers that `up` and the tests start on this machine, and how a process learns which kind it talks to."""
