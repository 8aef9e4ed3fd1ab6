"""The simulator: the agents' own steps over logs in memory, with every fault a seed may choose; then, does all add up?

Reads a seed and the roles to run (log, codec, step, views). Writes nothing. Guarantees: a seed replays a run exactly,
on any machine. No Faust, no Kafka, no clock, no thread: `broker` keeps records, `worker` has the order of durability,
`world` holds them and takes the belt on, `happenings` are what may happen, one after another, `traffic` is what comes
from outside, `convergence` judges. Start reading at `world`.
"""
