"""The words that messages share: how a line, a stack, a pool and a count are written."""

from __future__ import annotations

import os

from poolwitness.model.records import CheckoutRecord, Frame, PoolRecord, Stack


def at_line(frame: Frame | None) -> str:
    """``file:line in function`` for a sentence; the file as short as it can be from the working directory."""
    if frame is None:
        return "an unknown line"
    function = "" if frame.function.startswith("<module") else f" in {frame.function}"
    return f"{short_path(frame.file)}:{frame.line}{function}"


def raised(error_type: str, at: Frame | None) -> str:
    """An exception of the program in a sentence: its class, and the application's line that raised it."""
    return f"{error_type} raised at {at_line(at)}" if at is not None else error_type


def at_call(stack: Stack) -> str:
    """`at_line` of a stack's origin, and who called that: the origin may be a helper that everybody calls."""
    caller = stack.caller
    return at_line(stack.origin) + (f" (called at {at_line(caller)})" if caller is not None else "")


def short_path(file: str) -> str:
    """A path relative to the working directory where it lies below it."""
    try:
        here = os.getcwd()
    except OSError as error:  # the folder was removed under the program
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise  # a signal handler's
        return file
    return file[len(here) + 1 :] if here != os.sep and file.startswith(here + os.sep) else file


def format_stack(stack: Stack, most: int = 24) -> str:
    """A stack as text, outermost frame first as Python prints it, without what is outside of the innermost *most*."""
    return "\n".join(
        f'File "{frame.file}", line {frame.line}, in {frame.function}' for frame in reversed(stack.frames[:most])
    )


def plural(count: int, noun: str) -> str:
    """``1 thread``, ``4 threads``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def pool_label(pool: PoolRecord) -> str:
    """A pool in a sentence: its name, cut where it is too long for one."""
    name = pool.info.name if len(pool.info.name) <= 80 else pool.info.name[:77] + "..."
    return f"pool {name!r}"


def pool_made(pool: PoolRecord) -> str:
    """A pool in a sentence, and the line that created it."""
    return f"{pool_label(pool)}, made at {at_line(pool.info.created.origin)}"


def out_of(count: int, size: int) -> str:
    """``2 of 4 connections``; without the size for a null pool, which may have no limit."""
    return f"{count} of {plural(size, 'connection')}" if size else plural(count, "connection")


def holder_of(checkout: CheckoutRecord) -> str:
    """``thread 'x'`` or ``task 'x'``."""
    kind = "task" if checkout.in_task else "thread"
    return f"{kind} {checkout.holder[:60]!r}"


def holder_fields(checkout: CheckoutRecord) -> dict[str, str | bool]:
    """Who has a connection, as fields of an event: without what is not known."""
    fields: dict[str, str | bool] = {"poolwitness.transaction": checkout.status}
    if checkout.holder:
        fields["poolwitness.holder"] = checkout.holder[:200]
        fields["poolwitness.holder_kind"] = "task" if checkout.in_task else "thread"
        fields["poolwitness.holder_alive"] = checkout.holder_alive
    if checkout.where is not None and checkout.where.origin is not None:
        fields["poolwitness.holder_at"] = checkout.where.origin.place
    return fields


def holder_row(checkout: CheckoutRecord) -> str:
    """One checkout as a row: seconds held, line, thread or task, transaction state, and the line it is at now."""
    status = checkout.status.upper() if checkout.status == "idle in transaction" else checkout.status
    row = f"{checkout.held_s:6.1f} s  {at_call(checkout.taken)}  by {holder_of(checkout)}, {status}"
    if not checkout.holder_alive:
        return f"{row}; {'the task' if checkout.in_task else 'the thread'} has ended"
    if checkout.where is not None and checkout.where.origin is not None:
        row += f"; now at {at_line(checkout.where.holding)}"
        inner = checkout.where.frames[0]
        if inner != checkout.where.holding:
            row += f" (in {inner.function})"
    return row
