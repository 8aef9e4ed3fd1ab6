"""Models of the protocol, searched exhaustively: what each rule is for, and that with all of them nothing goes wrong.

Each variant is the protocol with one rule taken away (it must go wrong), or the product's (it must not). Reads nothing,
writes nothing. Guarantees: shares no code with the agents, so that one error is not made twice; deterministic.
Start reading at `catalogue`; the models stand beside it, each with what it leaves out.
"""
