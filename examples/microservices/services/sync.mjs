#!/usr/bin/env node
// Hands orders on to another system: each request gives what has changed since the one before.
import { call, serve } from "./http.mjs"

const api = process.env.API_SOCKET ?? "/tmp/api.sock"
const seen = new Map()

serve({
  "GET /health": () => ({ ok: true }),
  "GET /sync/": async () => {
    const orders = await call(api, "GET", "/api/orders")
    const changed = orders.filter((order) => seen.get(order.id) !== JSON.stringify(order))
    for (const order of changed) seen.set(order.id, JSON.stringify(order))
    return { changed, known: seen.size }
  }
})
