/** What must hold at the end of every test: nothing is left of what was started. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"
import type * as Fx from "./Fx.ts"
import type * as Http from "./Http.ts"
import * as Proc from "./Proc.ts"
import type * as Site from "./Site.ts"

/** What the sweep has to know of a machine. */
export interface Swept extends Pick<Site.Site, "root" | "dataDir"> {
  readonly supervisor: Site.Running
  readonly api: (path: string, request?: Http.Request) => Effect.Effect<Http.Answer>
  readonly list: Effect.Effect<ReadonlyArray<{ readonly name: string }>>
  readonly truth: () => Effect.Effect<ReadonlyArray<Fx.Entry>>
  readonly terminate: Effect.Effect<Site.Exit>
}

const walk = (folder: string): ReadonlyArray<fs.Dirent> =>
  fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true, recursive: true }) : []

/** The supervisor's lock, which stays behind on purpose: whether it is held is what counts. */
const lock = /(^|\/)lock\.\d+$/

/** Sockets and links: files are data, and FIFOs wait for the next run, but these lead to something that is gone. */
const special = (root: string): ReadonlyArray<string> =>
  walk(root).filter((entry) => entry.isSocket() || entry.isSymbolicLink())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter((name) => !lock.test(name))

const none = (what: string, look: () => ReadonlyArray<unknown>) =>
  eventually(`${what} left: none`, Effect.sync(look), (found) => found.length === 0)

/** Of a supervisor that still runs: it is the same, forgets all its instances, and has nothing more than at its start. */
const forget = (machine: Swept, bare: number) =>
  Effect.gen(function*() {
    const { pid } = machine.supervisor
    assert.strictEqual((yield* machine.api("/health")).status, 200)
    yield* Effect.forEach(yield* machine.list, ({ name }) =>
      Effect.map(machine.api(`/api/instances/${name}?data=true`, { method: "DELETE" }), ({ status, text }) =>
        assert.oneOf(status, [200, 204], `rm ${name}: ${text}`)), { concurrency: "unbounded", discard: true })
    assert.deepStrictEqual(yield* machine.list, [])
    yield* none("zombies of the supervisor", () =>
      Proc.zombiesOf(pid))
    yield* none("processes of instances", () =>
      Proc.withArgument(machine.dataDir))
    yield* eventually(
      `the supervisor has its ${bare} descriptors of the start`,
      // Node keeps the one by which it watches folders, once it has watched any.
      Effect.sync(() =>
        [...Proc.descriptors(pid).entries()].filter(([, to]) => to !== "anon_inode:inotify")
      ),
      (descriptors) => descriptors.length <= bare
    )
    yield* none("sockets and links of instances", () => special(machine.dataDir))
    assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
  })

/** The sweep. `bare` is how many descriptors a supervisor of nothing has. */
export const after = (machine: Swept, bare: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (Proc.isAlive(machine.supervisor.pid)) yield* forget(machine, bare)
    yield* none("processes of instances", () => Proc.withArgument(machine.dataDir))
    yield* none("sockets and links", () => special(machine.root))
    const overlaps = (yield* machine.truth()).filter(({ event }) => event === "overlap")
    assert.deepStrictEqual(overlaps, [], "two incarnations of one instance were alive at once")
  })
