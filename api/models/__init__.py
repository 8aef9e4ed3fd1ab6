"""What the API answers, as types, by subject: OpenAPI is made of them.

Does not belong here: where the answers come from. The records of the topics stand in `tables.records`; these say what
of them a client may count on.
"""
