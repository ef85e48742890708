"""The programme: from the call for proposals to a confirmed speaker, and the sessions that stand in it.

Owns: the call, session types, forums, proposals and what is answered about them, speakers, reviews, sessions.
Promises: a session's guid never changes, and is its proposal's; a proposal moves by ``proposal_rules.MOVES`` alone, and
each move is in its history; who speaks in a proposal sees nothing of its review; an import is all or nothing.
Deliberately absent, to come: releases of the schedule, feeds, ratings.
"""
