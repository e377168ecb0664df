#!/usr/bin/env node
// The API: orders, kept in a file of the instance's own folder, so that even a `kill -9` loses none.
import * as fs from "node:fs"
import * as path from "node:path"
import { HttpError, serve } from "./http.mjs"

const file = path.join(process.env.INSTANCE_DIR ?? ".", "orders.json")
const orders = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : []

const save = () => {
  fs.writeFileSync(`${file}.new`, JSON.stringify(orders))
  fs.renameSync(`${file}.new`, file)
}

const find = (id) => {
  const order = orders.find((order) => String(order.id) === id)
  if (order === undefined) throw new HttpError(404, `there is no order ${id}`)
  return order
}

serve({
  "GET /health": () => ({ ok: true }),
  "GET /api/orders": () => orders,
  "GET /api/orders/*": ({ params: [id] }) => find(id),
  "POST /api/orders": ({ body }) => {
    if (typeof body?.item !== "string") throw new HttpError(400, `an order looks like {"item": "tea"}`)
    const order = { id: orders.length + 1, item: body.item, paid: false }
    orders.push(order)
    save()
    return order
  },
  "POST /api/orders/*/paid": ({ params: [id] }) => {
    const order = find(id)
    order.paid = true
    save()
    return order
  }
})
