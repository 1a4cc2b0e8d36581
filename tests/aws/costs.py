"""What a million delivered events cost on AWS, from the requests that shared/aws/tests/cost.rs counts and the
public prices. `python costs.py` prints the table of infra/README.md; test_costs.py holds that file to it."""

# us-east-1, November 2026, without free tiers. Dollars for a million, unless said otherwise.
GATEWAY_REQUESTS = 1.00
LAMBDA_REQUESTS = 0.20
LAMBDA_GB_SECONDS = 13.3334
SQS_REQUESTS = 0.40
WRITE_UNITS = 0.625
READ_UNITS = 0.125
KMS_REQUESTS = 3.00
LOG_GB = 0.50  # a gigabyte

MILLION = 1_000_000

# Counted (cost.rs): an event of a kilobyte is a write unit when it is accepted, and one when it is delivered;
# it travels in a batch of at most ten.
WRITES_TO_ACCEPT = 1
WRITES_TO_DELIVER = 1
IN_A_SEND = 10

# Assumed: seconds and gigabytes of memory of an invocation (template.yaml), receivers that answer in 0.1 s.
INGEST_MEMORY, DISPATCH_MEMORY = 0.5, 0.25
INGEST_SECONDS = {1: 0.015, 100: 0.15}
DISPATCH_SECONDS = 0.12
# Assumed: 200 events a second. A process reads an account's settings anew every three seconds, 19 rows, and has
# KMS open its secret every five minutes.
RATE = 200
SETTINGS_SECONDS, SETTINGS_READS, SECRET_SECONDS = 3, 19, 300
ACCESS_LOG_BYTES = 230


def cost(events_in_a_request, messages_in_a_batch):
    """Dollars for a million delivered events, by what they are for."""
    requests = MILLION / events_in_a_request
    batches = MILLION / messages_in_a_batch
    sends = requests * -(-events_in_a_request // IN_A_SEND)
    busy = (
        RATE / events_in_a_request * INGEST_SECONDS[events_in_a_request],
        RATE / messages_in_a_batch * DISPATCH_SECONDS,
    )
    # Processes that are half idle, and two of each at least.
    processes = sum(max(2, 2 * one) for one in busy)
    process_seconds = MILLION / RATE * processes
    gigabyte_seconds = requests * INGEST_SECONDS[events_in_a_request] * INGEST_MEMORY
    gigabyte_seconds += batches * DISPATCH_SECONDS * DISPATCH_MEMORY
    return {
        "HTTP API: requests": requests * GATEWAY_REQUESTS / MILLION,
        "Lambda: invocations": (requests + batches) * LAMBDA_REQUESTS / MILLION,
        "Lambda: GB-seconds": gigabyte_seconds * LAMBDA_GB_SECONDS / MILLION,
        "SQS: sends, receives, deletes": (sends + 2 * batches) * SQS_REQUESTS / MILLION,
        "DynamoDB: write units": (WRITES_TO_ACCEPT + WRITES_TO_DELIVER) * WRITE_UNITS,
        "DynamoDB: read units (settings)": process_seconds / SETTINGS_SECONDS * SETTINGS_READS * READ_UNITS / MILLION,
        "KMS: secrets opened": process_seconds / SECRET_SECONDS * KMS_REQUESTS / MILLION,
        "CloudWatch: access log": requests * ACCESS_LOG_BYTES / 1e9 * LOG_GB,
    }


def table():
    """The table in Markdown."""
    single, batched = cost(1, 1), cost(100, 10)
    lines = ["| for a million delivered events | one a request | 100 a request |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | ${single[name]:.3f} | ${batched[name]:.3f} |" for name in single]
    lines += [f"| **all** | **${sum(single.values()):.2f}** | **${sum(batched.values()):.2f}** |"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
