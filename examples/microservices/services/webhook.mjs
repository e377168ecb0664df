#!/usr/bin/env node
// Takes the payment provider's calls and passes on to the API what they say.
import { call, HttpError, serve } from "./http.mjs"

const api = process.env.API_SOCKET ?? "/tmp/api.sock"
let received = 0

serve({
  "GET /health": () => ({ ok: true }),
  "GET /webhooks/": () => ({ received }),
  "POST /webhooks/payment": async ({ body }) => {
    if (!Number.isInteger(body?.order)) throw new HttpError(400, `a payment looks like {"order": 1}`)
    received++
    return { accepted: await call(api, "POST", `/api/orders/${body.order}/paid`) }
  }
})
