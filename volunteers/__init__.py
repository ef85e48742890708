"""To come: teams, applications, shifts, attendance, planner, certificates.

Owns nothing yet. It stands here so that the floors are drawn whole from the first commit.
"""
