"""MiniStack with clocks for SQS and for presigned links that tests can put forward.

RINGFENCE_TEST_AWS_CLOCK names a file that holds, as a little-endian double, the seconds by which the
queues are ahead of the machine: delays, visibility and retention follow it. RINGFENCE_TEST_AWS_LINK_CLOCK is
the same for the end of presigned links of S3. All else keeps the real time.
"""

import datetime as dt
import mmap
import os
import struct
import time


class Ahead:
    """The seconds by which a clock is ahead."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), 8)

    def seconds(self):
        return struct.unpack_from("<d", self._ahead)[0]


class QueueTime:
    """The module `time`, ahead."""

    def __init__(self, ahead):
        self._ahead = ahead

    def __getattr__(self, name):
        return getattr(time, name)

    def time(self):
        return time.time() + self._ahead.seconds()


def put_links_ahead(ahead):
    """Presigned links end by a clock that is ahead."""
    from ministack.core import sigv4
    from ministack.services import s3

    expired = sigv4.presigned_request_is_expired

    def is_expired(amz_date, expires, *, now=None):
        now = now or dt.datetime.now(dt.timezone.utc)
        return expired(amz_date, expires, now=now + dt.timedelta(seconds=ahead.seconds()))

    sigv4.presigned_request_is_expired = is_expired
    s3.presigned_request_is_expired = is_expired


def main():
    from ministack import app
    from ministack.services import sqs

    sqs.time = QueueTime(Ahead(os.environ["RINGFENCE_TEST_AWS_CLOCK"]))
    put_links_ahead(Ahead(os.environ["RINGFENCE_TEST_AWS_LINK_CLOCK"]))
    app.main()


if __name__ == "__main__":
    main()
