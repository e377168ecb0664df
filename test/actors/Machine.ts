/** Configurations for the simulated machine, and ways to look at its tree under a test's clock. */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Tenement } from "../../src/actors/Tenement.ts"
import { type GroupConfig, type ServiceConfig, type TenementConfig, unlimited } from "../../src/domain/Config.ts"
import { defaultId, GroupName, InstanceName, ServiceName } from "../../src/domain/Names.ts"
import * as Routing from "../../src/domain/Routing.ts"
import type { Strategy } from "../../src/domain/Strategy.ts"
import type { InstanceView, StateLabel } from "../../src/domain/Views.ts"

export const named = (instance: string): InstanceName =>
  InstanceName.make(instance.includes(":") ? instance : `${instance}:default`)

export const service = (name: string, options: Partial<ServiceConfig> = {}): ServiceConfig => ({
  name: ServiceName.make(name),
  source: { file: "tenement.toml", line: 1 },
  argv: [name],
  cwd: "/",
  env: {},
  envFiles: [],
  secrets: {},
  user: null,
  group: null,
  socket: "{run_dir}/{name}-{id}.sock",
  socketDeclared: false,
  socketMode: 0o666,
  port: null,
  socketActivation: false,
  health: null,
  healthIntervalMs: 1000,
  healthTimeoutMs: 500,
  healthRetries: 3,
  readiness: "started",
  startupTimeoutMs: 5000,
  restart: "on-failure",
  maxRestarts: 3,
  restartWindowMs: 60_000,
  backoffBaseMs: 100,
  backoffMaxMs: 1600,
  backoffJitter: 0,
  stableAfterMs: 10_000,
  stopSignal: "SIGTERM",
  stopTimeoutMs: 2000,
  dependsOn: [],
  instances: [defaultId],
  isolation: "process",
  network: "host",
  privateTmp: false,
  capabilities: [],
  sandboxRuntime: "gvisor",
  ...unlimited,
  restartMode: "sequential",
  drainTimeoutMs: 1000,
  idleTimeoutMs: 0,
  weight: 100,
  ...options
})

export const on = (...names: ReadonlyArray<string>) => names.map((name) => ServiceName.make(name))

export const group = (
  name: string,
  strategy: Strategy,
  services: ReadonlyArray<string>,
  options: Partial<GroupConfig> = {}
): GroupConfig => ({
  name: GroupName.make(name),
  strategy,
  services: on(...services),
  maxRestarts: 3,
  restartWindowMs: 60_000,
  ...options
})

export const config = (
  services: ReadonlyArray<ServiceConfig>,
  groups: ReadonlyArray<GroupConfig> = []
): TenementConfig => ({
  file: "/etc/tenement/tenement.toml",
  settings: {
    dataDir: folder,
    socket: `${folder}/tenement.sock`,
    runDir: `${folder}/run`,
    listen: null,
    domain: "localhost",
    syslog: null,
    startConcurrency: 4,
    cgroupRoot: null,
    logMaxBytes: 1_000_000,
    logKeep: 1
  },
  services: new Map(services.map((one) => [one.name, one])),
  groups: new Map(groups.map((one) => [one.name, one])),
  routing: Routing.none
})

// The instances' own folders are the only thing here that touches the disk. Where this process may be ended by a signal,
// who started it takes away the folder around them.
const folder = Fs.mkdtempSync(Path.join(process.env["TENEMENT_TEST_FOLDER"] ?? Os.tmpdir(), "tenement-actors-"))
process.once("exit", () => Fs.rmSync(folder, { recursive: true, force: true }))

/** Lets everything happen that needs no time, then moves the clock. */
export const pass = (duration: Parameters<typeof TestClock.adjust>[0]) =>
  settle.pipe(Effect.zipRight(TestClock.adjust(duration)), Effect.zipRight(settle))

/** Lets everything happen that needs no time. */
export const settle = Effect.forEach(Array.from({ length: 300 }), () => Effect.yieldNow(), { discard: true })

export const look = (instance: string): Effect.Effect<InstanceView, never, Tenement> =>
  Effect.flatMap(Tenement, ({ list }) =>
    Effect.map(list, (all) => {
      const found = all.find(({ name }) => name === named(instance))
      if (found === undefined) throw new Error(`there is no ${instance}`)
      return found
    }))

export const stateOf = (instance: string): Effect.Effect<StateLabel, never, Tenement> =>
  Effect.map(look(instance), ({ state }) => state)
