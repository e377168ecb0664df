/** A machine with a gateway, and services behind it that answer. */
import * as Effect from "effect/Effect"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"
import type * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { make } from "./Machine.ts"
import type * as Site from "./Site.ts"

const script = path.resolve(import.meta.dirname, "../fixtures/upstream.mjs")

/** `before` is what a shell does in front of it, in the folder of the machine. */
export const upstream = (keys: Fx.Table = {}, before = ""): Fx.Table => ({
  ...(before === ""
    ? { command: process.execPath, args: [script] }
    : { command: "sh", args: ["-c", `${before}\nexec "$0" "$1"`, process.execPath, script] }),
  isolation: "process",
  readiness: keys["port"] === undefined ? "socket" : "port",
  ...keys
})

/** A service that says which run of which version it is, and keeps what it was sent. It ends at once when it is asked to,
 * whatever is open on it. */
export const versioned = (keys: Fx.Table = {}): Fx.Table => ({
  command: process.execPath,
  args: [path.resolve(import.meta.dirname, "../fixtures/versioned.mjs"), "{data_dir}"],
  isolation: "process",
  readiness: "socket",
  ...keys
})

/** The settings that it takes. */
export const settings = { listen: "127.0.0.1:0", domain: "example.test" }

/** The gateway answers once this is done; the instances may be on their way still. */
export const front = (file: Exclude<Site.File, string>) =>
  Effect.gen(function*() {
    const machine = yield* make({ ...file, settings }, {
      extraDescriptors: 1
    })
    const doors = (of: typeof machine) =>
      Effect.gen(function*() {
        const told = yield* eventually(
          "the port is told",
          of.supervisor.stderr,
          (text) => /127\.0\.0\.1:\d+/.test(text)
        )
        const port = Number(/127\.0\.0\.1:(\d+)/.exec(told)?.[1])
        const ask = (host: string, path: string, request: Http.Request = {}) =>
          Effect.orDie(Http.request(port, path, { ...request, headers: { host, ...request.headers } }))
        return { machine: of, port, ask }
      })
    return { ...(yield* doors(machine)), doors }
  })

/** The same, once all instances are ready. */
export const ready = (file: Exclude<Site.File, string>) =>
  Effect.tap(
    front(file),
    ({ machine }) =>
      eventually("all are ready", machine.list, (all) => all.length > 0 && all.every((v) => v.state === "running"))
  )
