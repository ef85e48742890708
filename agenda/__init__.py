"""The programme. For now: sessions with a lasting guid, a title, a place and a time, imported from a list.

Owns: sessions.
Promises: a session's guid never changes, whatever else about it does; an import is all or nothing.
Deliberately absent, to come: proposals, reviews, releases, feeds, ratings.
"""
