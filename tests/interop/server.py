"""Starts the real binary on a fresh folder, and talks to it as an operator would."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request


class Server:
    """`ringfence serve` on a free port, over a folder of its own."""

    def __init__(self, *flags):
        self.folder = tempfile.mkdtemp(prefix="ringfence-interop-")
        self.process = subprocess.Popen(
            [os.environ["RINGFENCE_BINARY"], "serve", "--listen", "127.0.0.1:0", "--data", self.folder, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self.account = self.key = None
        for line in self.process.stdout:
            self.address = self.address or _first(r"(http://127\.0\.0\.1:\d+)", line)
            self.account = self.account or _first(r"(acc_[0-9a-f]{32})", line)
            self.key = self.key or _first(r"(rfk_[\w-]{43})", line)
            if self.address and self.account and self.key:
                break
        else:
            raise RuntimeError("the server ended before it said where it is")
        threading.Thread(target=lambda: [None for _ in self.process.stdout], daemon=True).start()

    def request(self, method, path, body=None, headers=None):
        """Status, headers and parsed body of one request with the operator's key."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)
        request.add_header("authorization", f"Bearer {self.key}")
        request.add_header("content-type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, error.headers, json.loads(error.read() or b"null")

    def change(self, area, document):
        """Replaces a settings document of the sample account."""
        path = f"/v1/accounts/{self.account}/settings/{area}"
        _, headers, _ = self.request("GET", path)
        status, _, answer = self.request("PUT", path, document, {"if-match": headers["etag"]})
        assert status == 200, (status, answer)
        return answer

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)
        return code


def _first(pattern, line):
    found = re.search(pattern, line)
    return found and found.group(1)
