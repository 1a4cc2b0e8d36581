"""A CDR that a FreeSWITCH wrote, from a fresh server to receivers that verify it."""

import http.server
import json
import os
import pathlib
import queue
import re
import subprocess
import threading
import unittest

import standardwebhooks

from server import Server

CDR = pathlib.Path(__file__).parents[2] / "events" / "ingest" / "freeswitch-cdr.json"


class Receiver:
    """Keeps what is posted to it."""

    def __init__(self):
        posts = self.posts = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                posts.put((dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/callbacks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        return self.posts.get(timeout=20)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def tokens(text):
    """Runs of digits that stand alone: where an extension would show."""
    return set(re.findall(r"(?<![\w.])(100[12])(?![\w.])", text))


class FreeSwitch(unittest.TestCase):
    def setUp(self):
        self.server = Server("--allow-subnet", "127.0.0.0/8")
        self.addCleanup(self.server.stop)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)

    def post_cdr(self, uuid):
        cdr = json.loads(CDR.read_bytes())
        body = json.dumps(cdr).replace(cdr["variables"]["uuid"], uuid).encode()
        path = f"/v1/accounts/{self.server.account}/ingest/freeswitch"
        status, _, answer = self.server.request("POST", path, body)
        self.assertEqual(status, 202, answer)
        self.assertEqual(answer["accepted"], 1)

    def test_arrives_signed_masked_or_whole(self):
        answer = self.server.change("callbacks", {"cdr": {"url": self.receiver.url}})
        secret = re.search(r"whsec_[\w+/=]+", json.dumps(answer)).group(0)
        webhook = standardwebhooks.Webhook(secret)

        self.post_cdr("3da8bf84-c133-4959-9e24-e72875cb33a1")
        headers, body = self.receiver.next()
        event = webhook.verify(body, headers)
        self.assertEqual(event["type"], "cdr.created")
        self.assertEqual((event["data"]["from"], event["data"]["to"]), ("1001", "1002"))
        self.assertEqual(event["data"]["billsec"], 68)
        self.assertEqual(event["data"]["disposition"], "answered")
        self.assertIn("source", event["data"])

        self.server.change("security", {"phone_number_masking": True})
        self.post_cdr("3da8bf84-c133-4959-9e24-e72875cb33a2")
        headers, body = self.receiver.next()
        event = webhook.verify(body, headers)
        self.assertEqual((event["data"]["from"], event["data"]["to"]), ("****", "****"))
        self.assertEqual(tokens(body.decode()), set(), "a number shows somewhere in the masked body")

        with self.assertRaises(standardwebhooks.WebhookVerificationError):
            webhook.verify(body.replace(b"cdr.created", b"cdr.Created"), headers)

    def test_listen_verifies_and_prints_it(self):
        listen = subprocess.Popen(
            [os.environ["RINGFENCE_BINARY"], "listen", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        url = None
        for line in listen.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                url = found.group(0)
                break
        answer = self.server.change("callbacks", {"cdr": {"url": url + "/"}})
        secret = re.search(r"whsec_[\w+/=]+", json.dumps(answer)).group(0)
        # The secret is known only now: the receiver starts again with it, on the same port.
        listen.terminate()
        listen.wait(timeout=10)
        listen.stdout.close()
        listen = subprocess.Popen(
            [os.environ["RINGFENCE_BINARY"], "listen", "--listen", url.removeprefix("http://"), "--secret", secret],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(listen.stdout.close)
        self.addCleanup(listen.wait)
        self.addCleanup(listen.terminate)
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in listen.stdout], daemon=True).start()
        first = lines.get(timeout=10)
        self.post_cdr("3da8bf84-c133-4959-9e24-e72875cb33a3")
        shown = first
        while "cdr.created" not in shown or "verified" not in shown.split("cdr.created", 1)[1].lower():
            shown += lines.get(timeout=20)
        self.assertNotIn("not verified", shown.lower())


if __name__ == "__main__":
    unittest.main()
