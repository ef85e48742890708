"""The ground floor: settings, the database, live topics, hooks, refusals and small values.

Owns: how a transaction begins and ends, how news leaves after a commit, how a "no" is said.
Promises: nothing above has to know which database runs, and nothing is announced that was rolled back.
Deliberately absent: trade nouns, tables, Starlette.
"""
