"""People and accounts across events, and what the house keeps for everybody: letters, jobs, journal, replays, uploads.

Owns: accounts, sign-ins with their codes and links, identities at providers, API tokens; the outbox of letters; background jobs; replay records; uploads; the
journal of who did what; the versions of live topics.
Promises: a sign-in's token is stored only as a digest; letters and jobs are rows of the action's own transaction,
so nothing is sent for what was rolled back; the journal holds ids and codes, never names.
Deliberately absent: events as tables (only bare event ids), QR codes, roles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel.settings import Settings


def configure(settings: Settings) -> None:
    """Hands the settings to the modules that need them and connects this package's own jobs; main calls it once."""
    # Imported here, so that the helper process and the migrations import a docstring, not a house.
    from people import wiring

    wiring.configure(settings)
