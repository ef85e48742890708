"""An event and its world: who may do what in it, who registered, and where things are.

Owns: events, role grants, ticket types, registrations and their imports, the tree of places.
Promises: ``access.open_event`` is the only door to an event; a full ticket type is refused by the database;
``registrations.changed`` tells upper floors of every change inside the same transaction.
Deliberately absent: QR codes, scans, the programme.
"""
