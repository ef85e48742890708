"""物料: the conference's materials (badges, lanyards, roll-ups, boxes), as the field uses the word, and nothing else.

Files for the browser live in ``web/static``, uploads in MEDIA_DIR. Owns nothing yet; to come: catalogue, stock,
orders, boxes, loans, counts.
"""
