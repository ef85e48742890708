"""One helper process for heavy pure work, so that the server's loop and its interpreter lock stay free."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class _Pool:
    executor: ProcessPoolExecutor | None = None


def _begin() -> None:
    # Ctrl-C is the server's to handle. And a worker whose server was killed must not stay behind for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


async def in_worker(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Runs a pure module-level function in the helper process; arguments and result must be picklable.

    One call at a time, the rest queue. Raises what ``fn`` raises, and BrokenProcessPool when the process died (out of
    memory); the next call starts a new one. A cancelled caller stops waiting, the work itself goes on to its end.
    """
    if _Pool.executor is None:
        # spawn: a fork would copy the loop, its threads and the open database.
        _Pool.executor = ProcessPoolExecutor(
            max_workers=1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
        )
    try:
        return await asyncio.get_running_loop().run_in_executor(_Pool.executor, fn, *args)
    except BrokenProcessPool:
        close()
        raise


def close() -> None:
    """Ends the helper process, whatever it does; a second call does nothing."""
    executor, _Pool.executor = _Pool.executor, None
    if executor is not None:
        processes = list((executor._processes or {}).values())  # noqa: SLF001 -- no public way before 3.14
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(5)
