/** What a program can do at each level of isolation, found by trying; the table of it that `docs/isolation.md` has. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as Net from "node:net"
import * as os from "node:os"
import * as Path from "node:path"
import type * as Fx from "./Fx.ts"
import { make } from "./Machine.ts"

const probe = Path.resolve(import.meta.dirname, "../fixtures/probe.py")

const levels: Readonly<Record<string, Fx.Table>> = {
  process: { isolation: "process" },
  namespace: { isolation: "namespace" },
  bubblewrap: { isolation: "sandbox", sandbox_runtime: "bubblewrap" },
  gvisor: { isolation: "sandbox", sandbox_runtime: "gvisor" }
}

const users: Readonly<Record<string, Fx.Table>> = { root: {}, nobody: { user: "nobody" } }

interface Found {
  readonly release: string
  /** What it could do to what is around it. */
  readonly around: Readonly<Record<string, boolean>>
  /** Which doors of the kernel were open. */
  readonly kernel: Readonly<Record<string, boolean>>
}

/** A line: what was tried, and what came of it at each level. */
export type Row = readonly [what: string, ...cells: ReadonlyArray<string>]

export const head = ["it can", "`process`", "`namespace`", "`sandbox`, bubblewrap", "`sandbox`, gVisor"]

const listening = (address: Net.ListenOptions): Effect.Effect<Net.Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async((resume) => {
      const server = Net.createServer((client) => client.destroy()).listen(
        address,
        () => resume(Effect.succeed(server))
      )
    }),
    (server) => Effect.sync(() => server.close())
  )

const file = (path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => fs.writeFileSync(path, "a secret", { mode: 0o644 })),
    () => Effect.sync(() => fs.rmSync(path, { force: true }))
  )

const toldOf = (root: boolean | undefined, nobody: boolean | undefined): string =>
  nobody === true ? "yes" : root === true ? "as root" : "no"

/** Runs the probe at every level, as root and as nobody. */
export const run: Effect.Effect<ReadonlyArray<Row>, never, Scope.Scope> = Effect.gen(function*() {
  const mark = `tenement-probe-${process.pid}`
  const shm = `/dev/shm/${mark}`
  yield* file(shm)
  yield* listening({ path: `\0${mark}` })
  const port = ((yield* listening({ port: 0, host: "127.0.0.1" })).address() as Net.AddressInfo).port
  const door = `${os.tmpdir()}/${mark}.sock`
  const wait = `
import socket, os, time
door = socket.socket(socket.AF_UNIX); door.bind(os.environ["SOCKET_PATH"]); door.listen(9); time.sleep(600)`
  const env = (machine: { readonly dataDir: string; readonly socket: string }, neighbour: number) => ({
    PATH: "/usr/bin:/bin",
    MARK: mark,
    NEIGHBOUR: String(neighbour),
    FILE: `${machine.dataDir}/neighbour/default/secret`,
    LOGS: `${machine.dataDir}/.logs`,
    DOOR: door,
    CONTROL: machine.socket,
    PORT: String(port),
    ABSTRACT: mark,
    TMP: door,
    SHM: shm
  })
  const neighbour = {
    command: ["python3", "-c", wait, mark],
    isolation: "process",
    user: "daemon",
    env: { PATH: "/usr/bin:/bin" },
    socket: door
  }
  // Whoever started the supervisor had more open than he should.
  const careless = ["bash", "-c", "exec 9</etc/shadow 10</; exec \"$@\"", "bash"]
  const machine = yield* make({ service: { neighbour } }, { via: careless, extraDescriptors: 2 })
  const { pid } = yield* machine.until("neighbour", "running")
  fs.writeFileSync(`${machine.dataDir}/neighbour/default/secret`, "a secret", { mode: 0o644 })
  fs.copyFileSync(probe, `${machine.root}/probe.py`)
  const services = Object.fromEntries(
    Object.entries(levels).flatMap(([level, keys]) =>
      Object.entries(users).map(([user, whose]) => [
        `${level}-${user}`,
        { command: `python3 ${machine.root}/probe.py`, restart: "never", ...keys, ...whose, env: env(machine, pid!) }
      ])
    )
  )
  yield* machine.write({ service: { neighbour, ...services } })
  const reloaded = yield* machine.cli("reload")
  assert.strictEqual(reloaded.code, 0, reloaded.stderr)
  const found = yield* Effect.forEach(Object.keys(levels), (level) =>
    Effect.map(
      Effect.forEach(Object.keys(users), (user) => {
        const name = `${level}-${user}`
        return Effect.map(
          machine.until(name, "completed"),
          () => JSON.parse(fs.readFileSync(`${machine.dataDir}/${name}/default/found.json`, "utf8")) as Found
        )
      }),
      ([root, nobody]) => ({ root: root!, nobody: nobody! })
    ))
  const around = Object.keys(found[0]!.root.around).map((what): Row => [
    what,
    ...found.map(({ nobody, root }) => toldOf(root.around[what], nobody.around[what]))
  ])
  const kernel = Object.keys(found[0]!.root.kernel).map((what): Row => [
    what,
    ...found.map(({ nobody, root }) =>
      root.release !== os.release() && root.kernel[what] ? "gVisor's" : toldOf(root.kernel[what], nobody.kernel[what])
    )
  ])
  return [...around, ...kernel]
})
