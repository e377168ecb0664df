import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { Connections, layer } from "../../src/layers/Connections.ts"
import type { Endpoint } from "../../src/layers/Endpoint.ts"
import { eventually } from "../acceptance/Eventually.ts"
import { rootWith } from "../acceptance/Requirement.ts"

const python = rootWith("python3")

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "tenement-connections-"))),
  (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true }))
)

const listener = (where: net.ListenOptions) =>
  Effect.acquireRelease(
    Effect.async<net.Server>((resume) => {
      const server = net.createServer((socket) => socket.on("error", () => undefined))
      server.listen(where, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => void server.close())
  )

const connect = (to: net.NetConnectOpts) =>
  Effect.acquireRelease(
    Effect.async<net.Socket>((resume) => {
      const socket = net.connect(to, () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

const endpoint = (dir: string, port: number | null = null): Endpoint => ({
  publicPath: `${dir}/public`,
  privatePath: `${dir}/päth 1.sock`,
  port
})

const counted = (to: Endpoint, pid: number, expected: number | null) =>
  Effect.flatMap(
    Connections,
    ({ open }) => eventually(`${expected} connections`, open(to, pid), (seen) => seen === expected)
  )

describe("connections", () => {
  it.scopedLive("to a socket are counted, and its listener and other sockets are not", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const to = endpoint(dir)
      yield* listener({ path: to.privatePath })
      yield* listener({ path: `${to.privatePath}2` })
      yield* connect({ path: `${to.privatePath}2` })
      yield* counted(to, process.pid, 0)
      const clients = yield* Effect.all([connect({ path: to.privatePath }), connect({ path: to.privatePath })])
      yield* counted(to, process.pid, 2)
      clients[0].destroy()
      yield* counted(to, process.pid, 1)
    }).pipe(Effect.provide(layer)))

  it.scopedLive("to a port are counted, on either protocol", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const server = yield* listener({ host: "::", port: 0 })
      const { port } = server.address() as net.AddressInfo
      yield* counted(endpoint(dir, port), process.pid, 0)
      yield* connect({ host: "127.0.0.1", port })
      yield* connect({ host: "::1", port })
      yield* counted(endpoint(dir, port), process.pid, 2)
    }).pipe(Effect.provide(layer)))

  it.scopedLive("of a program that is gone cannot be told", () =>
    Effect.gen(function*() {
      const child = spawn("true", { stdio: "ignore" })
      yield* Effect.async<void>((resume) => void child.once("exit", () => resume(Effect.void)))
      yield* counted(endpoint(yield* folder), child.pid!, null)
    }).pipe(Effect.provide(layer)))

  it.scopedLive.skipIf(python.isSkipped)(
    `that are not accepted yet, in another network, are counted${python.told}`,
    () =>
      Effect.gen(function*() {
        const dir = yield* folder
        const to = endpoint(dir)
        const program =
          "import socket,sys,time;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen(5);time.sleep(600)"
        const child = yield* Effect.acquireRelease(
          Effect.sync(() =>
            spawn("unshare", ["--net", "--map-root-user", "python3", "-c", program, to.privatePath], {
              stdio: "ignore"
            })
          ),
          (child) => Effect.sync(() => child.kill("SIGKILL"))
        )
        yield* eventually("it listens", Effect.sync(() => fs.existsSync(to.privatePath)), (is) => is)
        yield* connect({ path: to.privatePath })
        yield* counted(to, child.pid!, 1)
      }).pipe(Effect.provide(layer))
  )
})
