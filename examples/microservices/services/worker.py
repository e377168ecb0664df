#!/usr/bin/env python3
"""The worker: adds up the API's orders. It asks the API over /tmp/api.sock, as any service here can."""

import os

from unixhttp import get, serve

API = os.environ.get("API_SOCKET", "/tmp/api.sock")


def totals():
    orders = get(API, "/api/orders")
    return {"orders": len(orders), "unpaid": sum(not order["paid"] for order in orders)}


serve({"GET /status": lambda: {"ok": True}, "GET /jobs/totals": totals}, quiet="/status")
