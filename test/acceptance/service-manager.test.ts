import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as readline from "node:readline"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Machine from "./Machine.ts"
import * as Proc from "./Proc.ts"
import * as Site from "./Site.ts"

/** What systemd does: it hears who speaks, and what, and closes the barrier that comes behind. A line for each message. */
const listener = `
import array, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
  text, ancillary, _, _ = s.recvmsg(4096, 4096)
  pid = [struct.unpack("3i", data)[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS]
  for _, kind, data in ancillary:
    if kind == socket.SCM_RIGHTS:
      for fd in array.array("i", data): os.close(fd)
  print(pid[0], *text.decode().split(), flush=True)
`

const listen = (path: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn("python3", ["-c", listener, path], { stdio: ["ignore", "pipe", "inherit"] })
        const heard: Array<string> = []
        readline.createInterface({ input: child.stdout }).on("line", (line) => heard.push(line))
        return { child, heard }
      }),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    ({ heard }) => heard
  )

describe("the service manager", () => {
  it.scopedLive("is told of the start, of reloads and of the end, in the supervisor's name, and services know nothing of it", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({}, "") } })
      const path = `${site.root}/notify`
      const heard = yield* listen(path)
      yield* eventually("it listens", Effect.sync(() => heard), ([first]) => first === "bound")
      const supervisor = yield* Machine.serve(site, {
        env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "200000", WATCHDOG_PID: "" }
      })
      const until = (what: string, count = 1) =>
        eventually(
          `${count} of ${what}`,
          Effect.sync(() => heard.filter((line) => line.includes(what)).length),
          (found) => found >= count
        )
      yield* until("READY=1")
      const machine = Machine.on(site, supervisor)
      const { pid } = yield* machine.until("web", "running")
      assert.notProperty(Proc.environment(pid!), "NOTIFY_SOCKET")
      yield* supervisor.signal("SIGHUP")
      yield* until("RELOADING=1")
      yield* until("READY=1", 2)
      assert.deepStrictEqual(yield* machine.terminate, { code: 0, signal: null })
      yield* until("STOPPING=1")
      const told = heard.slice(1).filter((line) => !line.includes("BARRIER")).map((line) => line.split(" "))
      assert.match(
        told.map(([, ...words]) => words.join(" ")).join("; "),
        /^READY=1; RELOADING=1 MONOTONIC_USEC=\d+; READY=1; STOPPING=1$/
      )
      // Only root may speak for another.
      if (process.getuid?.() === 0) {
        assert.deepStrictEqual([...new Set(told.map(([pid]) => pid))], [String(supervisor.pid)])
      }
      fs.rmSync(path)
    }))

  it.scopedLive("is told again and again that all is well, if it has a watchdog", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({ instances: [] }, "") } })
      const path = `${site.root}/notify`
      const heard = yield* listen(path)
      yield* eventually("it listens", Effect.sync(() => heard), ([first]) => first === "bound")
      const supervisor = yield* Machine.serve(site, { env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "400000" } })
      yield* eventually(
        "three times",
        Effect.sync(() => heard.filter((line) => line.includes("WATCHDOG=1")).length),
        (found) => found >= 3
      )
      assert.deepStrictEqual(yield* Machine.on(site, supervisor).terminate, { code: 0, signal: null })
    }))
})
