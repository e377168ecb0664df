import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as ControlSocket from "../../src/cli/ControlSocket.ts"
import * as Host from "../../src/config/Host.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-socket-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true }))
)

const file = (text: string) =>
  Effect.map(folder, (folder) => {
    const path = Path.join(folder, "tenement.toml")
    Fs.writeFileSync(path, text)
    return { folder, path }
  })

const nobody = { config: undefined, socket: undefined }

describe("ControlSocket", () => {
  it.effect("is the one that is named, by an option before the environment", () =>
    Effect.gen(function*() {
      const env = { TENEMENT_SOCKET: "/from/env.sock" }
      assert.strictEqual(
        yield* ControlSocket.locate({ ...nobody, socket: "/from/option.sock" }, env),
        "/from/option.sock"
      )
      assert.strictEqual(yield* ControlSocket.locate(nobody, env), "/from/env.sock")
    }))

  it.scoped("is the file's, whatever else the file says", () =>
    Effect.gen(function*() {
      const { folder, path } = yield* file(`[settings]\nsocket = "a/control.sock"\n[service.x]\nnonsense = true\n`)
      const expected = Path.join(folder, "a/control.sock")
      assert.strictEqual(yield* ControlSocket.locate({ ...nobody, config: path }, {}), expected)
      assert.strictEqual(yield* ControlSocket.locate(nobody, { TENEMENT_CONFIG: path }), expected)
    }))

  it.scoped("is the usual one where the file names none", () =>
    Effect.gen(function*() {
      const { path } = yield* file(`[service.x]\nsocket = "/tmp/x.sock"\n`)
      const env = { XDG_RUNTIME_DIR: "/run/user/7" }
      const usual = Host.controlSocket(Host.current(env))
      assert.strictEqual(yield* ControlSocket.locate({ ...nobody, config: path }, env), usual)
    }))

  it("is looked for in every other usual place, and nowhere twice", () => {
    const host = { uid: 1000, cores: 1, stateHome: "/home/ann/.local/state", runtimeDir: null }
    const runtime = "/run/user/1000/tenement.sock"
    const state = "/home/ann/.local/state/tenement/tenement.sock"
    assert.deepStrictEqual(Host.otherControlSockets(host), [runtime])
    assert.deepStrictEqual(Host.otherControlSockets({ ...host, runtimeDir: "/run/user/1000" }), [state])
    assert.deepStrictEqual(Host.otherControlSockets({ ...host, uid: 0 }), [])
  })

  it.scoped.each(["[settings\nsocket = 1", "[settings]\nsocket = 1", "settings = \"socket\""])(
    "is not guessed where the file cannot be understood: %j",
    (text) =>
      Effect.gen(function*() {
        const { path } = yield* file(text)
        const result = yield* Effect.either(ControlSocket.locate({ ...nobody, config: path }, {}))
        assert(Either.isLeft(result))
        assert.include(result.left.message, path)
        assert.include(result.left.message, "--socket")
      })
  )

  it.effect("is not guessed where the file that was named is not there", () =>
    Effect.gen(function*() {
      const result = yield* Effect.either(ControlSocket.locate({ ...nobody, config: "/no/such/file" }, {}))
      assert(Either.isLeft(result))
      assert.include(result.left.message, "there is no such file")
    }))
})
