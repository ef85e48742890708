"""Where all nouns meet: the passport, the checkpoint, the scan, and the counts.

Owns: passports and every code that leads to one, checkpoints and their lists, scans, tallies, the scanner page,
the live board.
Promises: no path but ``scanning`` admits anybody; scans are append-only and every total can be rebuilt from them;
a scan that was acknowledged is durable; the same ``scan_id`` gives the same answer for ever.
Deliberately absent: contact data (it belongs to registrations), offline judging, stamps and points (to come).
"""
