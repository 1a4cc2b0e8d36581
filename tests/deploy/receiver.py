"""A receiver of callbacks on loopback."""

import http.server
import queue
import threading
import time


class Receiver:
    """Keeps what is posted to it in `posts` (when, headers, body), and answers as it is told to: 204 unless `answers` holds
    something else (status and headers) for the next request."""

    def __init__(self):
        posts = self.posts = queue.Queue()
        answers = self.answers = queue.SimpleQueue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    status, headers = answers.get_nowait()
                except queue.Empty:
                    status, headers = 204, {}
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()
                posts.put((time.monotonic(), dict(self.headers.items()), body))

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/callbacks"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
