"""Does a test fail when a rule is wrong? Every function of `tables/` is changed in every small way, one at a time.

`python -m proof.mutation` makes its environment and its copy of the tree, runs, compares with what is accepted, and
says it. Files: `session` (mutants, forks, tests), `accepted` (survivors that stay, each with its reason), `report`
(figures, and the page `docs/mutation.md`). Does not belong here: what a rule is, and tests of rules (`tests/tables`).
"""
