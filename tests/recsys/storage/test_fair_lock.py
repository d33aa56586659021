"""The lock of the one writer."""

import threading
import time

from recsys.storage.fair_lock import FairLock


def test_those_who_wait_are_served_in_the_order_they_came() -> None:
    lock, served = FairLock(), []
    assert lock.acquire(1)

    def wait(number: int) -> None:
        assert lock.acquire(5)
        served.append(number)
        lock.release()

    waiting = []
    for number in range(5):
        waiting.append(threading.Thread(target=wait, args=[number]))
        waiting[-1].start()
        while len(lock._waiting) <= number:
            time.sleep(0.001)
    lock.release()
    for thread in waiting:
        thread.join()
    assert served == [0, 1, 2, 3, 4]


def test_who_gave_up_is_not_served() -> None:
    lock = FairLock()
    assert lock.acquire(1)
    assert not lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0.01)
