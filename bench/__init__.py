"""Measurements of the running program, kept apart from it: nothing here is imported by the house.

``door``, ``live``, ``opening`` and ``review`` are the commands (``python main.py bench``, ``… bench live``, ``… bench opening``,
``… bench review``); ``store`` makes and checks a
database, ``process`` runs the real server, ``load`` and ``viewers`` are the clients in processes of their own, ``lanes`` phones as programs, ``floor`` and
``broadcast`` the floors that the figures stand on.
"""
