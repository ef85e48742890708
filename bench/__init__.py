"""Measurements of the running program, kept apart from it: nothing here is imported by the house.

``door`` is the command (``python main.py bench``); ``store`` makes and checks a database, ``process`` runs the real
server, ``load`` is the client in a process of its own, ``floor`` the two floors that the figures stand on.
"""
