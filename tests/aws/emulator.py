"""MiniStack with a clock for SQS that tests can put forward.

RINGFENCE_TEST_AWS_CLOCK names a file that holds, as a little-endian double, the seconds by which the
queues are ahead of the machine. Delays, visibility and retention follow it; signatures and everything
else keep the real time.
"""

import mmap
import os
import struct
import time


class QueueTime:
    """The module `time`, ahead."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), 8)

    def __getattr__(self, name):
        return getattr(time, name)

    def time(self):
        return time.time() + struct.unpack_from("<d", self._ahead)[0]


def main():
    path = os.environ["RINGFENCE_TEST_AWS_CLOCK"]
    from ministack import app
    from ministack.services import sqs

    sqs.time = QueueTime(path)
    app.main()


if __name__ == "__main__":
    main()
