"""What the two Python services share: HTTP over Unix sockets, both ways, with the standard library alone."""

import http.client
import http.server
import json
import os
import signal
import socket
import socketserver
import threading


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False  # closing the server waits for the requests that are under way
    request_queue_size = 128


def serve(routes, quiet):
    """Serves `routes` ("GET /path" to a function that returns what becomes JSON) on SOCKET_PATH until SIGTERM."""

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self):
            route = routes.get(f"GET {self.path}")
            try:
                status, value = (200, route()) if route else (404, {"error": f"no route for GET {self.path}"})
            except OSError as error:
                status, value = 502, {"error": str(error)}
            body = json.dumps(value).encode() + b"\n"
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code="-", size="-"):
            if self.path != quiet:
                print(f"{self.command} {self.path} {int(code)}", flush=True)

        def address_string(self):
            return "unix"

    path = os.environ["SOCKET_PATH"]
    with Server(path, Handler) as server:

        def stop(*_):
            print("SIGTERM: finishing what is under way", flush=True)
            threading.Thread(target=server.shutdown).start()

        signal.signal(signal.SIGTERM, stop)
        print(f"listening on {path}", flush=True)
        server.serve_forever(poll_interval=0.1)
    os.unlink(path)


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=2)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(path, endpoint):
    """The JSON that a service on the Unix socket `path` answers."""
    connection = UnixConnection(path)
    try:
        connection.request("GET", endpoint)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
