// A tree that exists in memory only: what the API says of it can be told apart from what really happens.
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import { NoSuchInstance, NoSuchService, NotReady, NotRunning } from "../../src/actors/Errors.ts"
import { Tenement } from "../../src/actors/Tenement.ts"
import { ConfigSource } from "../../src/control/ConfigSource.ts"
import type { TenementConfig } from "../../src/domain/Config.ts"
import { ConfigInvalid } from "../../src/domain/Errors.ts"
import { defaultId, type InstanceName, instanceName, parts, ServiceName } from "../../src/domain/Names.ts"
import * as Routing from "../../src/domain/Routing.ts"
import type { Description, EventRecord, InstanceView, LogLine, Notice, StateLabel } from "../../src/domain/Views.ts"
import { LogsFailed } from "../../src/layers/Errors.ts"

export const at = "2026-01-02T03:04:05.000Z"

const view = (name: InstanceName, state: StateLabel): InstanceView => ({
  name,
  ...parts(name),
  state,
  health: null,
  pid: state === "running" ? 4711 : null,
  startedAt: state === "running" ? at : null,
  uptimeSeconds: state === "running" ? 1.5 : null,
  restarts: 0,
  memoryMb: null,
  cpuPercent: null,
  socket: null,
  port: null,
  weight: 100,
  lastExit: state === "running" ? null : { code: 0, signal: null, reason: "stopped", at },
  nextStartAt: null
})

const describe = (instance: InstanceView): Description => ({
  instance,
  wanted: "running",
  incarnation: 1,
  group: null,
  command: ["sleep", "9"],
  cwd: "/",
  environment: ["PATH"],
  dependsOn: [],
  waitingFor: [],
  restart: { policy: "on-failure", attempt: 0, inWindow: 0, maxRestarts: 3, windowSeconds: 300 },
  history: [],
  lastLines: [],
  lastWords: []
})

export const line = (instance: InstanceName, text: string): LogLine => ({
  seq: 1,
  at,
  instance,
  stream: "stdout",
  incarnation: 1,
  text,
  truncated: false
})

export const notice = (seq: number, message: string): Notice => ({
  _tag: "Notice",
  seq,
  at,
  level: "info",
  subject: "supervisor",
  message
})

export const config: TenementConfig = {
  file: "/etc/tenement/tenement.toml",
  settings: {
    dataDir: "/var/lib/tenement",
    socket: "/run/tenement/tenement.sock",
    runDir: "/run/tenement-services",
    listen: null,
    domain: "localhost",
    syslog: null,
    startConcurrency: 2,
    cgroupRoot: null,
    logMaxBytes: 10 * 1024 ** 2,
    logKeep: 5
  },
  services: new Map(),
  groups: new Map(),
  routing: Routing.none
}

/** The services that can be spawned; instances of `slow` never get ready, `broken` is a defect of the tree itself. */
export const services = ["api", "slow", "broken"].map((name) => ServiceName.make(name))

export const make = Effect.gen(function*() {
  const states = new Map<InstanceName, StateLabel>([[instanceName(ServiceName.make("api"), defaultId), "running"]])
  const hub = yield* PubSub.bounded<EventRecord>(64)
  const following = yield* Effect.makeLatch()
  const abandoned = yield* Effect.makeLatch()
  const past = [1, 2, 3].map((seq) => notice(seq, `event ${seq}`))

  const known = (name: InstanceName) =>
    Effect.suspend(() => {
      const state = states.get(name)
      return state === undefined
        ? new NoSuchInstance({ instance: name, nearest: null })
        : Effect.succeed(view(name, state))
    })
  const to = (name: InstanceName, state: StateLabel) =>
    Effect.gen(function*() {
      const before = yield* known(name)
      if (parts(name).service === "broken") return yield* Effect.die(new Error("secret /etc/shadow"))
      states.set(name, state)
      const instance = view(name, state)
      if (parts(name).service === "slow" && state === "running") {
        return yield* new NotReady({ instance, reason: "no answer on its socket" })
      }
      return { instance, changed: before.state !== state, forced: false }
    })

  const tenement = Tenement.of({
    list: Effect.sync(() => [...states].map(([name, state]) => view(name, state))),
    describe: (name) => Effect.map(known(name), describe),
    spawn: (service, id) =>
      Effect.gen(function*() {
        if (!services.includes(service)) return yield* new NoSuchService({ service, nearest: null })
        const name = instanceName(service, id)
        if (!states.has(name)) states.set(name, "stopped")
        return yield* to(name, "running")
      }),
    start: (name) => to(name, "running"),
    stop: (name) => to(name, "stopped"),
    restart: (name) => to(name, "running"),
    deploy: ({ id, service }) =>
      Effect.suspend(() => {
        states.set(instanceName(service, id), "stopped")
        return to(instanceName(service, id), "running")
      }),
    route: (name) => to(name, "running"),
    weigh: (name, weight) => Effect.as(known(name), weight ?? 100),
    remove: (name) => Effect.map(known(name), () => void states.delete(name)),
    probe: (name) =>
      Effect.flatMap(known(name), ({ state }) =>
        state === "running"
          ? Effect.succeed({ instance: name, healthy: true, detail: "GET /health: 200", milliseconds: 2 })
          : new NotRunning({ instance: name, reason: "it is stopped" })),
    logs: ({ follow, grep, instances, tail }) => {
      const names = instances.length === 0 ? [...states.keys()] : instances
      const lines = names.flatMap((name) => ["one", "two", "three"].map((text) => line(name, text)))
        .filter(({ text }) => grep === null || grep.test(text))
      const kept = Stream.fromIterable(tail === null ? lines : lines.slice(lines.length - Math.min(tail, lines.length)))
      if (names.some((name) => parts(name).service === "broken")) {
        return Stream.concat(
          kept,
          Stream.fail(new LogsFailed({ instance: "x", path: "p", code: "EIO", problem: "lost" }))
        )
      }
      return follow ? Stream.concat(kept, Stream.never) : kept
    },
    events: ({ follow, tail }) => {
      const kept = Stream.fromIterable(tail === null ? past : past.slice(past.length - Math.min(tail, past.length)))
      const coming = Stream.unwrapScoped(
        Effect.map(Effect.zipLeft(PubSub.subscribe(hub), following.open), (queue) => Stream.fromQueue(queue))
      ).pipe(Stream.ensuring(abandoned.open))
      return follow ? Stream.concat(kept, coming) : kept
    },
    tree: Effect.succeed({
      name: "root",
      kind: "supervisor",
      state: "one-for-one",
      detail: "",
      children: [{ name: "api:default", kind: "actor", state: "running", detail: "", children: [] }]
    }),
    config: Effect.succeed(config),
    reload: (next, { dryRun }) => Effect.succeed({ file: next.file, changes: [], applied: !dryRun, problems: [] }),
    boot: Effect.void,
    shutdown: Effect.succeed([]),
    leave: () => Effect.void,
    attach: () => Effect.void,
    traffic: {
      config: () => config,
      backends: () => [],
      arrive: () => Effect.never,
      answered: () => undefined,
      seen: () => undefined,
      refused: () => undefined,
      logged: () => undefined
    },
    metrics: Effect.succeed({ contentType: "text/plain; version=0.0.4; charset=utf-8", body: "up 1\n" })
  })
  return {
    tenement,
    /** Opens when somebody follows the events. */
    following,
    /** Opens when somebody who followed them is gone. */
    abandoned,
    publish: (event: EventRecord) => PubSub.publish(hub, event)
  }
})

export type Fake = Effect.Effect.Success<typeof make>

/** The layers that a server needs, over a tree that the test can see. `invalid` makes the file a wrong one. */
export const layer = ({ tenement }: Fake, invalid = false) =>
  Layer.merge(
    Layer.succeed(Tenement, tenement),
    Layer.succeed(ConfigSource, {
      load: invalid
        ? new ConfigInvalid({
          issues: [{ file: "tenement.toml", line: 3, column: 1, key: "prot", message: "no such key" }]
        })
        : Effect.succeed(config)
    })
  )
