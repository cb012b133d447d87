"""A helper server of the agent: answers each task that is posted to it.

    python mcp_server.py NAME

It listens on a free port of the loopback and prints its address once it does.
"""

from __future__ import annotations

import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        task = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = f"{len(task.split())} words looked at".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is the agent's."""


def main() -> None:
    # Inherited from the agent, which waits for this signal itself.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
