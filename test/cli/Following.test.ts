import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Following from "../../src/cli/Following.ts"
import * as Palette from "../../src/cli/render/Palette.ts"
import { type Output, Session } from "../../src/cli/Session.ts"
import * as Client from "../../src/control/Client.ts"
import { InstanceName } from "../../src/domain/Names.ts"
import type { LogLine } from "../../src/domain/Views.ts"

const socket = "/nowhere/control.sock"

const hello: LogLine = {
  seq: 1,
  at: "2026-01-01T00:00:00.000Z",
  instance: InstanceName.make("api:prod"),
  stream: "stdout",
  incarnation: 1,
  text: "hello",
  truncated: false
}

/** A supervisor that breaks off after a line, and nobody after it. */
const broken = Effect.map(Client.make(socket), (client) => ({
  ...client,
  logs: () => Stream.concat(Stream.make(hello), Stream.fail(new Client.ConnectionLost({ socket, code: "ECONNRESET" }))),
  supervisor: {
    ...client.supervisor,
    health: () => Effect.fail(new Client.NoSupervisor({ socket, code: "ENOENT", others: [] }))
  }
}))

describe("who follows", () => {
  it.scoped("waits a minute for another supervisor, says so, and then why there is no more", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const err: Output = {
        columns: () => null,
        rows: () => 24,
        palette: Palette.plain,
        write: (text) => Effect.sync(() => void told.push(String(text)))
      }
      const seen: Array<string> = []
      const following = yield* Following.lines(yield* broken, { follow: true }).pipe(
        Stream.runForEach(({ text }) => Effect.sync(() => void seen.push(text))),
        Effect.flip,
        Effect.provideService(Session, {
          globals: { config: undefined, socket, json: false, noColor: true },
          out: err,
          err
        }),
        Effect.fork
      )
      yield* TestClock.adjust("59 seconds")
      assert.isTrue(Option.isNone(yield* Fiber.poll(following)))
      assert.deepStrictEqual(seen, ["hello"])
      assert.deepStrictEqual(told, ["tenement: the supervisor is gone; waiting for another\n"])
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(following))._tag, "ConnectionLost")
    }))
})
