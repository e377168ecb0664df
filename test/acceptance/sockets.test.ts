import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import { make } from "./Machine.ts"

const before = (root: string) => fs.mkdirSync(`${root}/public`)
const socket = "{data_dir}/../public/web.sock"

describe("the public socket", () => {
  it.scopedLive("that cannot be published is a failed start, and is told", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: {
          web: Fx.service(
            { socket, restart: "never", health: "/health", instances: [] },
            "touch=public/web.sock serve=200"
          )
        }
      }, { before })
      const answer = yield* machine.api("/api/instances", { method: "POST", body: { service: "web" } })
      assert.strictEqual(answer.status, 409, answer.text)
      assert.propertyVal(answer.json, "_tag", "NotReady")
      const view = yield* machine.until("web", "failed")
      assert.deepInclude(view, { pid: null, restarts: 0 })
      assert.strictEqual(view.lastExit?.reason, "launch-failed")
      const { history } = yield* machine.describe("web")
      const [failure] = history.filter(({ cause }) => cause._tag === "LaunchFailed").map(({ cause }) => cause)
      assert.include(
        (failure as { readonly message: string }).message,
        `${machine.dataDir}/../public/web.sock: there is a file`
      )
      assert.notInclude(history.map(({ to }) => to), "healthy")
      assert.isTrue(fs.lstatSync(`${machine.root}/public/web.sock`).isFile())
      fs.rmSync(`${machine.root}/public/web.sock`)
    }))

  it.scopedLive("that was taken away while the service runs is made anew, and is told", () =>
    Effect.gen(function*() {
      const machine = yield* make({
        service: { web: Fx.service({ socket, health: "/health", health_interval: "50 millis" }, "serve=200") }
      }, { before })
      const path = `${machine.root}/public/web.sock`
      const { pid } = yield* machine.until("web", "healthy")
      // In one step: it is made anew before a folder that is being emptied is empty.
      fs.renameSync(`${machine.root}/public`, `${machine.root}/gone`)
      fs.rmSync(`${machine.root}/gone`, { recursive: true })
      yield* eventually("the link is back", Effect.sync(() => fs.existsSync(path)), (there) => there)
      const { text } = yield* machine.api("/api/events?tail=100")
      assert.include(text, `${machine.dataDir}/../public/web.sock no longer led to it, and was made anew`)
      assert.deepInclude(yield* machine.view("web"), { pid, state: "healthy", restarts: 0 })
    }))
})
