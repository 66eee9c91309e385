"""Masks made ahead: the thread behind `CompiledGrammar.warm_up`."""

from __future__ import annotations

import os
import threading
import time
import weakref
from concurrent.futures import Future

from penstock._core import CompiledGrammar

__all__ = ["start"]

# Held while native steps run, so that a fork waits for the end of a step and no native lock is held in the child.
_steps = threading.Lock()
_running: weakref.WeakSet[Future[int]] = weakref.WeakSet()
_BREAK_SECONDS = 1e-4  # long enough for who waits for the lock to get it


class _CancelledError(Exception):
    """The future was cancelled."""


def start(compiled: CompiledGrammar, max_masks: int) -> Future[int]:
    """Work in a daemon thread; the future holds the number of masks that were looked at.

    Warm-ups take turns. A cancelled one stops within some milliseconds and keeps the masks it made. A forked child gets
    those too; the future of a warm-up that was under way is cancelled there.
    """
    future: Future[int] = Future()
    _running.add(future)
    threading.Thread(target=_work, args=(compiled, max_masks, future), name="penstock warm-up", daemon=True).start()
    return future


def _work(compiled: CompiledGrammar, max_masks: int, future: Future[int]) -> None:
    def pause() -> None:
        if future.cancelled():
            raise _CancelledError
        _steps.release()
        time.sleep(_BREAK_SECONDS)
        _steps.acquire()

    try:
        with _steps:
            num_masks = compiled._warm_up(pause, max_masks)
    except _CancelledError:
        future.set_running_or_notify_cancel()
    except BaseException as error:
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
    else:
        if future.set_running_or_notify_cancel():
            future.set_result(num_masks)
    finally:
        _running.discard(future)


def _release_in_child() -> None:
    _steps.release()
    for future in list(_running):
        if future.cancel():
            future.set_running_or_notify_cancel()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_steps.acquire, after_in_parent=_steps.release, after_in_child=_release_in_child)
