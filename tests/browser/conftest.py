"""Patience: what is there at once on a machine of one's own comes on a busy one, too. A page's own waits have 30 s."""

from playwright.async_api import expect

expect.set_options(timeout=30_000)
