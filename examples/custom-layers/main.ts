// Keeps a cache running that no HTTP probe can ask, inside this very program: no daemon and no tenement.toml.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Net from "node:net"
import { Backoff, Embed, Explain, forService, HealthCheck, Tenement, Unhealthy } from "tenement"

const ping = (path: string) =>
  Effect.async<string, Unhealthy>((resume) => {
    const socket = Net.connect(path, () => socket.write("PING\r\n"))
    const heard = (answer: string) => {
      socket.destroy()
      resume(answer === "+PONG\r\n" ? Effect.succeed("PONG") : Effect.fail(new Unhealthy({ detail: answer })))
    }
    socket.once("data", (line) => heard(String(line))).once("error", ({ message }) => heard(message))
  })

const command = [process.execPath, "cache.mjs"] as const
const cache = Embed.service({ name: "cache", command, cwd: import.meta.dirname, readiness: "health" })

const tree = Embed.layer(Embed.config({ services: [cache] }), (service) =>
  Layer.provide(forService(service), [
    Backoff.fromSchedule(Schedule.fibonacci("100 millis")),
    HealthCheck.make(({ privatePath }) => ping(privatePath), { timeoutMs: 1000 })
  ]))

const program = Effect.flatMap(
  Tenement.Tenement,
  ({ events }) =>
    events({ tail: null, sinceMs: null, follow: true }).pipe(
      Stream.filter((event) => event._tag === "Transition"),
      Stream.take(11),
      Stream.runForEach(({ cause, instance, to }) => Console.log(`${instance} ${to}: ${Explain.describeCause(cause)}`))
    )
)

NodeRuntime.runMain(Effect.provide(program, tree))
