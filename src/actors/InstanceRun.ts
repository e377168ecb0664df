/**
 * One run of an instance: everything that is acquired for a process, in the order in which it must not be released.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type Limits, type ServiceConfig, type Settings, unlimited } from "../domain/Config.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import type { SavedRun } from "../domain/Saved.ts"
import * as Template from "../domain/Template.ts"
import { systemPath } from "../internal/systemPath.ts"
import * as Account from "../layers/Account.ts"
import { type Cgroup, Cgroups } from "../layers/Cgroups.ts"
import type { Endpoint } from "../layers/Endpoint.ts"
import type * as Errors from "../layers/Errors.ts"
import * as InstanceDir from "../layers/InstanceDir.ts"
import type { Isolation } from "../layers/Isolation.ts"
import { Launcher, type Process } from "../layers/Launcher.ts"
import * as Leftovers from "../layers/Leftovers.ts"
import type { InstanceLog } from "../layers/Logs.ts"
import * as Passage from "../layers/Passage.ts"
import type { Identity, Wrapper } from "../layers/Process.ts"
import type { Readiness } from "../layers/Readiness.ts"
import { Sockets } from "../layers/Sockets.ts"
import * as ConfigDigest from "./ConfigDigest.ts"
import * as OpenRequests from "./OpenRequests.ts"
import * as OutOfMemory from "./OutOfMemory.ts"
import type { Standby } from "./Standby.ts"
import { StartSlots } from "./StartSlots.ts"

/**
 * A run with a live process, or one that was alive a moment ago. Closing `scope` releases all of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface InstanceRun {
  readonly incarnation: number
  /** Whether it was begun beside another run of the instance. */
  readonly isBeside: boolean
  readonly scope: Scope.CloseableScope
  readonly endpoint: Endpoint
  /** `null` on a machine without. */
  readonly cgroup: Cgroup | null
  readonly outOfMemory: OutOfMemory.OutOfMemory
  readonly process: Process
  /** What it is busy with. */
  readonly requests: OpenRequests.OpenRequests
  readonly wrapper: Wrapper | null
  /** A digest of the configuration that it was begun by. */
  readonly config: string
  readonly ready: (observe: (detail: string) => Effect.Effect<void>) => Effect.Effect<string>
  /** Its start is over, one way or the other: another can begin. */
  readonly started: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category errors
 */
export type LaunchError =
  | Errors.LaunchFailed
  | Errors.CgroupFailed
  | Errors.IsolationUnavailable
  | Errors.SocketUnusable
  | Errors.LogsFailed
  | Errors.NotifyUnavailable

/**
 * What a launch asks of its environment.
 *
 * @since 0.1.0
 * @category models
 */
export type Needs = Launcher | Cgroups | Sockets | StartSlots

/**
 * @since 0.1.0
 * @category models
 */
export interface RunOptions {
  readonly name: InstanceName
  readonly incarnation: number
  /** Whether another run of the instance is alive. */
  readonly isBeside: boolean
  readonly config: ServiceConfig
  readonly settings: Settings
  readonly readiness: typeof Readiness.Service
  readonly isolation: typeof Isolation.Service
  readonly log: InstanceLog
  /** What was kept ready for it; it is the run's. */
  readonly standby: Standby | null
  /** Writes down the process before the program runs. */
  readonly announce: (process: Identity) => Effect.Effect<void>
}

/** The words of templates, those included that only this run has. */
const wordsOfRun = (settings: Settings, name: InstanceName, endpoint: Endpoint): Template.Values => {
  const { id, service } = parts(name)
  return {
    ...Places.wordsOf(settings, service, id),
    socket: endpoint.privatePath,
    ...(endpoint.port === null ? {} : { port: String(endpoint.port) })
  }
}

/**
 * The whole environment of a run: what the file says, over what every instance gets.
 *
 * @since 0.1.0
 * @category combinators
 */
export const environment = (
  { config, name, settings }: Pick<RunOptions, "config" | "name" | "settings">,
  endpoint: Endpoint,
  inherited: Readonly<Record<string, string | undefined>>
): Readonly<Record<string, string>> => {
  const { id, service } = parts(name)
  const values = wordsOfRun(settings, name, endpoint)
  const account = Account.find(config.user)
  const env: Record<string, string> = {
    PATH: inherited.PATH ?? systemPath,
    LANG: inherited.LANG ?? "C.UTF-8",
    USER: account?.name ?? config.user ?? "",
    HOME: account?.home ?? Places.instanceDir(settings, service, id),
    SOCKET_PATH: endpoint.privatePath,
    SERVICE_NAME: service,
    INSTANCE_ID: id,
    INSTANCE_DIR: Places.instanceDir(settings, service, id)
  }
  if (inherited.TZ !== undefined) env.TZ = inherited.TZ
  if (endpoint.port !== null) env.PORT = String(endpoint.port)
  for (const [key, value] of Object.entries(config.secrets)) env[key] = value
  for (const [key, value] of Object.entries(config.env)) env[key] = Template.expand(value, values)
  return env
}

/** Waits until what isolation put in front of the program has begun it. */
const begun = (process: Process, delay = 5): Effect.Effect<void> =>
  Effect.flatMap(
    process.programPid,
    (pid) => pid === null ? Effect.zipRight(Effect.sleep(delay), begun(process, Math.min(2 * delay, 50))) : Effect.void
  )

/**
 * Other limits for a run that is alive. False where it takes another run to be limited, or to be told why it cannot be.
 *
 * @since 0.1.0
 * @category combinators
 */
export const limit = ({ cgroup }: Pick<InstanceRun, "cgroup">, limits: Limits): Effect.Effect<boolean> =>
  cgroup === null
    ? Effect.succeed(Object.keys(unlimited).every((key) => limits[key as keyof Limits] === null))
    : Effect.isSuccess(cgroup.limit(limits))

/**
 * Waits for a start slot, which is where it can be interrupted; then acquires all that a run needs and starts its
 * process. Either the run has a scope of its own within the other, or nothing is left of it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const launch = Effect.fnUntraced(function*(options: RunOptions, within: Scope.Scope) {
  const scope = yield* Scope.fork(within, { _tag: "Sequential" })
  return yield* acquire(options, scope).pipe(
    Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit))
  )
}, Effect.uninterruptible)

const acquire = Effect.fnUntraced(function*(options: RunOptions, scope: Scope.CloseableScope) {
  const { config, incarnation, isBeside, isolation, log, name, readiness, settings, standby } = options
  if (standby !== null) yield* Scope.addFinalizerExit(scope, (exit) => Scope.close(standby.scope, exit))
  const launcher = yield* Launcher
  const sockets = yield* Sockets
  const cgroups = yield* Cgroups
  const { id, service } = parts(name)
  const slots = yield* StartSlots
  const started = yield* Effect.interruptible(Scope.extend(slots.take, scope))
  yield* InstanceDir.make(settings, name, config)
  const endpoint = yield* sockets.prepare({
    instance: name,
    incarnation,
    publicPath: Places.publicSocket(settings, config, id),
    port: config.port,
    user: config.user,
    group: config.group,
    held: config.socketActivation
  })
  yield* Scope.addFinalizer(scope, Effect.suspend(() => sockets.retire(endpoint)))
  const listener = config.socketActivation ? yield* sockets.listen({ instance: name, endpoint }) : null
  const { env, ready } = yield* Scope.extend(readiness.prepare(endpoint), scope)
  const values = wordsOfRun(settings, name, endpoint)
  // After the process tree is gone, and before anybody is told so: its last words are kept.
  yield* Scope.addFinalizer(scope, log.end)
  const cgroup = standby !== null ? standby.cgroup : yield* Scope.extend(
    cgroups.make({ instance: name, beside: isBeside ? incarnation : null }, config),
    scope
  )
  const { process, wrapper } = yield* Effect.scoped(Effect.gen(function*() {
    const { begun, stderr, stdout } = yield* log.begin(incarnation)
    const plain = {
      instance: name,
      incarnation,
      argv: config.argv.map((word) => Template.expand(word, values)),
      cwd: Template.expand(config.cwd, values),
      env: {
        ...environment(options, endpoint, globalThis.process.env),
        ...env,
        ...(listener === null ? {} : { LISTEN_FDS: "1", LISTEN_FDNAMES: service })
      },
      user: config.user,
      group: config.group,
      stdout,
      stderr,
      listener,
      cgroup,
      prepared: standby?.prepared ?? null,
      announce: (process: Identity) => Effect.zipRight(begun, options.announce(process))
    }
    yield* Passage.check(plain, { endpoint, instanceDir: Places.instanceDir(settings, service, id) })
    const spec = yield* Scope.extend(isolation.prepare(plain, endpoint), scope)
    return { process: yield* Scope.extend(launcher.launch(spec), scope), wrapper: spec.wrapper ?? null }
  }))
  const run: InstanceRun = {
    incarnation,
    isBeside,
    scope,
    endpoint,
    cgroup,
    outOfMemory: OutOfMemory.make(cgroup),
    process,
    requests: yield* OpenRequests.make,
    wrapper,
    config: ConfigDigest.of(config),
    ready: (observe) => Effect.zipRight(begun(process), ready(observe)),
    started
  }
  return run
})

/**
 * The run that an earlier supervisor began: its process goes on as it is, and is this one's from now on. One that ended
 * meanwhile is a run all the same, whose end is told like any other's.
 *
 * @since 0.1.0
 * @category constructors
 */
export const adopt = Effect.fnUntraced(function*(
  { log, name, readiness, settings }: Pick<RunOptions, "name" | "settings" | "readiness"> & {
    readonly log: InstanceLog | null
  },
  saved: SavedRun,
  within: Scope.Scope
) {
  const { endpoint, incarnation, isBeside, limits, oomKills, pid, startTime, wrapper } = saved
  const scope = yield* Scope.fork(within, { _tag: "Sequential" })
  const sockets = yield* Sockets
  const { id, service } = parts(name)
  yield* sockets.adopt(endpoint)
  yield* Scope.addFinalizer(scope, Effect.suspend(() => sockets.retire(endpoint)))
  yield* Scope.addFinalizer(scope, Leftovers.ofRun(settings, name, incarnation))
  if (log !== null) yield* Scope.addFinalizer(scope, log.end)
  // Where it cannot be listened to, a run that waits to say that it is ready is not ready in time.
  const { ready } = yield* Scope.extend(readiness.prepare(endpoint), scope).pipe(
    Effect.catchAllCause((cause) =>
      Effect.as(Effect.logWarning(`${name}: it is not heard whether it gets ready`, cause), {
        ready: () => Effect.never
      })
    )
  )
  const cgroups = yield* Cgroups
  const place = { instance: name, beside: isBeside ? incarnation : null }
  const cgroup = limits === null ? null : yield* Scope.extend(cgroups.adopt(place, limits), scope)
  const launcher = yield* Launcher
  const instanceDir = Places.instanceDir(settings, service, id)
  const process = yield* Scope.extend(launcher.adopt({ pid, startTime, wrapper, cgroup, instanceDir }), scope)
  const run: InstanceRun = {
    incarnation,
    isBeside,
    scope,
    endpoint,
    cgroup,
    outOfMemory: OutOfMemory.make(cgroup, oomKills),
    process,
    requests: yield* OpenRequests.make,
    wrapper,
    config: saved.config,
    ready: (observe) => Effect.zipRight(begun(process), ready(observe)),
    started: Effect.void
  }
  return run
}, Effect.uninterruptible)
