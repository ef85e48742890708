"""Where Starlette lives: routes with access rules, sign-in cookies, forms, pages, sockets.

Owns: the request's way in (limits, cross-site refusal, locale, headers) and the answer's way out (pages, JSON, errors).
Promises: a handler runs only after its route's access rule said yes; one shape for every error.
Deliberately absent: trade nouns and tables; who an Actor is comes from a loader that main hands in.
"""
