import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { eventually } from "../acceptance/Eventually.ts"
import * as Proc from "../acceptance/Proc.ts"

/** The watchdog's minute, and all of it emulated. */
const patience = 600_000

const own = "/etc/systemd/system/tenement.service.d"

// What the kernel unpacked is no file system that bubblewrap can leave.
const file = `
[settings]
listen = "off"
[service.counts]
command = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done"]
isolation = "process"
memory_limit_mb = 64
[service.sleeps]
command = ["sleep", "100000"]
isolation = "process"
`

const run = (command: string, ...words: ReadonlyArray<string>): string =>
  execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

const tenement = (...words: ReadonlyArray<string>) => run("node", "/tenement/dist/tenement.js", ...words)

const systemctl = (...words: ReadonlyArray<string>) => run("systemctl", ...words)

const shown = (property: string) => systemctl("show", "tenement", "--property", property, "--value").trim()

const main = () => Number(shown("MainPID"))

interface Seen {
  readonly name: string
  readonly pid: number
  readonly restarts: number
  readonly state: string
}

const instances = (): ReadonlyArray<Seen> =>
  (JSON.parse(tenement("ps", "--json")) as ReadonlyArray<Seen>).map(({ name, pid, restarts, state }) => ({
    name,
    pid,
    restarts,
    state
  }))

const limit = ({ pid }: Seen) => {
  const [, folder] = /^0::(.*)$/m.exec(fs.readFileSync(`/proc/${pid}/cgroup`, "utf8")) ?? []
  return fs.readFileSync(`/sys/fs/cgroup${folder}/memory.max`, "utf8").trim()
}

/** The same processes as before, with another supervisor. */
const isTakenOver = (before: ReadonlyArray<Seen>, supervisor: number) =>
  Effect.gen(function*() {
    yield* eventually(
      "another supervisor is in charge",
      Effect.sync(() => [main(), shown("ActiveState")] as const),
      ([pid, state]) => pid !== 0 && pid !== supervisor && state === "active"
    )
    const after = yield* eventually(
      "it knows them",
      Effect.sync(instances),
      (all) => all.every(({ state }) => state === "running")
    )
    assert.deepStrictEqual(after, before)
    assert.strictEqual(limit(after[0]!), String(64 * 1024 * 1024))
  })

/** Settings of one's own for the unit, as `systemctl edit` makes them. */
const withSettings = (text: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      fs.mkdirSync(own)
      fs.writeFileSync(`${own}/own.conf`, `[Service]\n${text}\n`)
      systemctl("daemon-reload")
    }),
    () =>
      Effect.sync(() => {
        fs.rmSync(own, { recursive: true })
        systemctl("daemon-reload")
      })
  )

describe("the unit of `tenement install`", () => {
  it("starts the services", () => {
    fs.mkdirSync("/etc/tenement")
    fs.writeFileSync("/etc/tenement/tenement.toml", file)
    tenement("install", "--write")
    systemctl("daemon-reload")
    systemctl("start", "tenement")
    assert.strictEqual(shown("ActiveState"), "active")
    assert.include(fs.readFileSync(`/proc/${main()}/cgroup`, "utf8"), "/tenement.service/")
  })

  const ends: ReadonlyArray<readonly [what: string, end: (pid: number) => void]> = [
    ["kill -9", (pid) => process.kill(pid, "SIGKILL")],
    ["systemctl restart", () => systemctl("restart", "tenement")],
    ["tenement upgrade", () => tenement("upgrade")],
    ["its watchdog", (pid) => process.kill(pid, "SIGSTOP")]
  ]
  for (const [what, end] of ends) {
    it.scopedLive(`keeps them when the supervisor is ended by ${what}`, () =>
      Effect.gen(function*() {
        const before = yield* eventually(
          "they run",
          Effect.sync(instances),
          (all) => all.length === 2 && all.every(({ state }) => state === "running")
        )
        const pid = main()
        end(pid)
        yield* isTakenOver(before, pid)
      }), patience)
  }

  it.scopedLive("keeps them when a start takes too long", () =>
    Effect.gen(function*() {
      const before = instances()
      const pid = main()
      yield* Effect.scoped(Effect.gen(function*() {
        yield* withSettings("TimeoutStartSec=200ms")
        process.kill(pid, "SIGKILL")
        yield* eventually("it was too slow", Effect.sync(() => shown("Result")), (result) => result === "timeout")
      }))
      yield* isTakenOver(before, pid)
    }), patience)

  it("tells of a file that is wrong", () => {
    fs.writeFileSync("/etc/tenement/tenement.toml", `${file}\nnonsense = 1\n`)
    assert.throws(() => systemctl("reload", "tenement"))
    fs.writeFileSync("/etc/tenement/tenement.toml", file)
    systemctl("reload", "tenement")
  })

  it("has every line that was printed", () => {
    const lines = tenement("logs", "counts", "--raw").trim().split("\n").map(Number)
    assert.isAbove(lines.length, 100)
    assert.deepStrictEqual(lines, lines.map((_, index) => index + 1))
  })

  it("stops them with the unit, and leaves nothing", () => {
    const before = instances()
    systemctl("stop", "tenement")
    assert.strictEqual(shown("ActiveState"), "inactive")
    assert.deepStrictEqual(before.filter(({ pid }) => Proc.isAlive(pid)), [])
    assert.isFalse(fs.existsSync("/sys/fs/cgroup/system.slice/tenement.service"))
  })
})
