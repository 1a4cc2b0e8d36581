"""MiniStack with clocks for SQS and for presigned links that tests can put forward, and with the keys of
conditions that the template's policies need and it does not have: KMS's contexts and algorithms, S3's kind and
age of signatures.

RINGFENCE_TEST_AWS_CLOCK names a file that holds, as a little-endian double, the seconds by which the
queues are ahead of the machine: delays, visibility and retention follow it. RINGFENCE_TEST_AWS_LINK_CLOCK is
the same for the end of presigned links of S3. All else keeps the real time.
"""

import datetime as dt
import json
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


def add_kms_keys():
    """The condition keys of KMS that a request carries.
    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"""
    from ministack.core import iam_actions

    known = iam_actions.request_tag_context

    def request_context(service, action, body, params):
        found = known(service, action, body, params)
        if service == "kms":
            request = json.loads(body or b"{}")
            context = request.get("EncryptionContext") or {}
            found |= {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
            if context:
                found["kms:EncryptionContextKeys"] = list(context)
            if "MacAlgorithm" in request:
                found["kms:MacAlgorithm"] = request["MacAlgorithm"]
        return found

    iam_actions.request_tag_context = request_context


def add_signature_keys(ahead):
    """How a request to S3 is signed, and how many milliseconds ago, by the clock of links.
    https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html"""
    from ministack.core import iam_actions

    known = iam_actions.s3_service_context

    def request_context(action, query, path="", headers=None):
        found = known(action, query, path, headers)
        names = {name.lower(): value[0] if isinstance(value, list) else value for name, value in (query or {}).items()}
        if "signature" in names:
            return found | {"s3:authType": "REST-QUERY-STRING", "s3:signatureversion": "AWS"}
        found["s3:signatureversion"] = "AWS4-HMAC-SHA256"
        if "x-amz-date" not in names:
            return found | {"s3:authType": "REST-HEADER"}
        at = dt.datetime.strptime(names["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.timezone.utc)
        age = (dt.datetime.now(dt.timezone.utc) - at).total_seconds() + ahead.seconds()
        return found | {"s3:authType": "REST-QUERY-STRING", "s3:signatureAge": str(int(age * 1000))}

    iam_actions.s3_service_context = request_context


def main():
    from ministack import app
    from ministack.services import sqs

    sqs.time = QueueTime(Ahead(os.environ["RINGFENCE_TEST_AWS_CLOCK"]))
    links = Ahead(os.environ["RINGFENCE_TEST_AWS_LINK_CLOCK"])
    put_links_ahead(links)
    add_kms_keys()
    add_signature_keys(links)
    app.main()


if __name__ == "__main__":
    main()
