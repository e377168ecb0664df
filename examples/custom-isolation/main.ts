// A level of isolation that tenement does not have: all of the host but its network, by util-linux alone.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import { Embed, forService, Isolation, IsolationUnavailable, Tenement } from "tenement"

const unshare = "/usr/bin/unshare"
const asWhom = process.getuid?.() === 0 ? [] : ["--user", "--map-current-user"]

const offline = Layer.succeed(Isolation.Isolation, {
  // `unshare` becomes the program or ends with an error: nothing is ever started with less than was asked for.
  prepare: (spec) =>
    Fs.existsSync(unshare)
      ? Effect.succeed({ ...spec, argv: [unshare, ...asWhom, "--net", "--", ...spec.argv] })
      : new IsolationUnavailable({
        instance: spec.instance,
        level: "offline",
        missing: "unshare is not installed",
        advice: "Install it: apt-get install util-linux"
      })
})

const script = `console.log(Object.keys(require("node:os").networkInterfaces()).join(" ") || "no network")`
const command = [process.execPath, "-e", script] as const
const service = (name: string) => Embed.service({ name, command, restart: "never", isolation: "process" })

const tree = Embed.layer(
  Embed.config({ services: [service("online"), service("offline")] }),
  (config) => config.name === "offline" ? Layer.provide(forService(config), offline) : forService(config)
)

const program = Effect.flatMap(
  Tenement.Tenement,
  ({ list, logs }) =>
    Effect.flatMap(
      list,
      (all) =>
        logs({ instances: all.map(({ name }) => name), tail: null, sinceMs: null, grep: null, follow: true }).pipe(
          Stream.take(all.length),
          Stream.runForEach(({ instance, text }) => Console.log(`${instance}: ${text}`))
        )
    )
)

NodeRuntime.runMain(Effect.provide(program, tree))
