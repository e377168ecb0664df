"""Background jobs: every few seconds one writes a line into the instance's own folder."""

import os
import threading
import time
from pathlib import Path

from unixhttp import serve

journal = Path(os.environ.get("INSTANCE_DIR", ".")) / "journal.txt"
stopping = threading.Event()


def work():
    while True:
        with journal.open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} tidied up\n")
        if stopping.wait(5):
            return


def last():
    return {"runs": len(journal.read_text().splitlines()), "file": str(journal)}


worker = threading.Thread(target=work)
worker.start()
serve({"GET /health": lambda: {"ok": worker.is_alive()}, "GET /last": last}, quiet="/health")
stopping.set()
worker.join()
