"""From tasks to results: on this process, on several, or on a Dask cluster."""

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import Any

#: Tasks in flight for each worker: more would only fill the memory.
WINDOW = 3

Work = Callable[..., Any]
Task = tuple[Any, ...]
#: A task, its result, and "" or the reason why there is none.
Outcome = tuple[Task, Any, str]


def run(
    work: Work, tasks: Iterable[Task], workers: int = 1, client: Any = None
) -> Iterator[Outcome]:
    """Yield the outcome of ``work(*task)`` for each task, in whatever order they end.

    A task that fails stops no other. Tasks are taken as workers become free. On Ctrl-C all that
    ended has been yielded.

    Parameters
    ----------
    work : callable
        For several workers: a function of a module, or a partial of one.
    tasks : iterable of tuple
    workers : int
        Processes on this machine, with one thread each.
    client : distributed.Client, optional
        A Dask cluster in their place, one thread a worker. The tasks of a worker that dies go to
        others.

    Raises
    ------
    OSError
        If a worker process dies.

    Examples
    --------
    >>> list(run(divmod, [(7, 2), (1, 0)]))
    [((7, 2), (3, 1), ''), ((1, 0), None, 'ZeroDivisionError: integer division or modulo by zero')]
    """
    if client is not None:
        count = max(1, len(client.scheduler_info()["workers"]))
        yield from _windowed(work, tasks, client.get_executor(pure=False), count)
    elif workers > 1:
        ends = (signal.SIGINT, signal.SIG_DFL)  # at once and silently, on Ctrl-C
        pool = ProcessPoolExecutor(workers, get_context("spawn"), signal.signal, ends)
        try:
            yield from _windowed(work, tasks, pool, workers)
        except BrokenProcessPool as fault:
            raise OSError(
                "a worker process died, most likely for want of memory; all that ended before is "
                "kept: do the same again, with fewer workers"
            ) from fault
        finally:
            pool.shutdown(cancel_futures=True)
    else:
        for task in tasks:
            yield task, *_attempt(work, task)


def _windowed(
    work: Work, tasks: Iterable[Task], executor: Executor, workers: int
) -> Iterator[Outcome]:
    """Keep a few tasks in flight, and take the next when one ends."""
    tasks, running = iter(tasks), dict[Future[tuple[Any, str]], Task]()
    while True:
        for task in islice(tasks, WINDOW * workers - len(running)):
            running[executor.submit(_alone, work, task)] = task
        if not running:
            return
        ended = wait(running, return_when=FIRST_COMPLETED).done
        for future in sorted(ended, key=lambda future: future.exception() is not None):
            task, fault = running.pop(future), future.exception()
            if isinstance(fault, BrokenProcessPool):  # last: results come first
                raise fault
            if fault is not None:  # a task that no worker of a cluster survives
                yield task, None, _reason(fault)
            else:
                yield task, *future.result()


def _alone(work: Work, task: Task) -> tuple[Any, str]:
    """Attempt a task beside other workers, on one thread."""
    import torch

    torch.set_num_threads(1)
    return _attempt(work, task)


def _attempt(work: Work, task: Task) -> tuple[Any, str]:
    """Return a task's result and no reason, or none and the reason."""
    try:
        return work(*task), ""
    except Exception as fault:  # whatever it is: the others go on
        return None, _reason(fault)


def _reason(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}"
