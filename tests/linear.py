"""Work that takes as long as its text is long, and no more, on whatever machine."""

import time
from collections.abc import Callable

SIZES = (25_000, 100_000)


def takes_no_time(work: Callable[[int], None], *, seconds: float) -> bool:
    """Whether work on so many characters is done in so many seconds of this process; or, where the machine is slow, in
    at most twice what a quarter of them makes expect (four times as long: a pattern that backtracks takes sixteen)."""

    def spent(n: int) -> float:
        begun = time.process_time()
        work(n)
        return time.process_time() - begun

    few, many = SIZES
    took = spent(many)
    return took < seconds or took < 2 * (many / few) * spent(few)
