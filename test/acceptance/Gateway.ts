/** A machine with a gateway, and bytes to it and from it as they are. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"
import { ready } from "./Front.ts"
import type * as Fx from "./Fx.ts"
import type * as Site from "./Site.ts"

const fixture = (name: string) => path.resolve(import.meta.dirname, `../fixtures/${name}.mjs`)

const service = (name: string, keys: Fx.Table): Fx.Table => ({
  command: process.execPath,
  args: [fixture(name)],
  isolation: "process",
  readiness: keys["port"] === undefined ? "socket" : "port",
  ...keys
})

/** A service that tells what it got. */
export const upstream = (keys: Fx.Table = {}): Fx.Table => service("upstream", keys)

/** A service that keeps the bytes that it got. */
export const wire: Fx.Table = service("wire", {})

/** A machine with a gateway, whose instances are all ready. */
export const gateway = (file: Exclude<Site.File, string>) =>
  Effect.gen(function*() {
    const { ask, machine, port } = yield* ready(file)
    /** All bytes that an instance of `wire` has got. */
    const wired = Effect.sync(() => fs.readFileSync(path.join(machine.dataDir, "web/default/wire"), "latin1"))
    return { machine, port, ask, wired }
  })

/** What comes back for these bytes, until the other side closes. */
export const raw = (port: number, bytes: string | Buffer) =>
  Effect.async<string>((resume) => {
    let text = ""
    const socket = net.connect(port, "127.0.0.1", () => void socket.end(bytes))
    socket.on("data", (chunk) => text += chunk.toString("latin1"))
    socket.on("error", () => undefined)
    socket.once("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("20 seconds"), Effect.orDie)

/** A connection that is written to and read from bit by bit. */
export const connection = (port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket) => {
      let text = ""
      let ended = false
      socket.on("error", () => undefined)
      socket.on("data", (chunk) => text += chunk.toString("latin1"))
      socket.once("end", () => ended = true)
      return {
        socket,
        text: () => text,
        until: (what: string) => eventually(what, Effect.sync(() => text), (text) => text.includes(what)),
        ended: eventually("the other side has closed", Effect.sync(() => ended), (ended) => ended)
      }
    }
  )
