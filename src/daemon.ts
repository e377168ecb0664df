/**
 * The supervisor as a program: the tree with its API, its lock and its signals. Loaded by `tenement serve` alone.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Tenement } from "./actors/Tenement.ts"
import { ConfigSource } from "./control/ConfigSource.ts"
import { type DoorName, isDoorName } from "./control/Door.ts"
import type { ListenFailed } from "./control/Listeners.ts"
import { Replacement } from "./control/Replacement.ts"
import * as Server from "./control/Server.ts"
import type { TenementConfig } from "./domain/Config.ts"
import * as Embed from "./embed.ts"
import * as Gateway from "./gateway/Gateway.ts"
import * as Syslog from "./gateway/Syslog.ts"
import * as Handover from "./handover.ts"
import * as Heap from "./layers/Heap.ts"
import * as Launcher from "./layers/Launcher.ts"
import * as Lock from "./layers/Lock.ts"
import * as Predecessor from "./layers/Predecessor.ts"
import * as ServiceManager from "./layers/ServiceManager.ts"

/**
 * `load` reads the configuration again, for a reload.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly config: TenementConfig
  readonly load: typeof ConfigSource.Service["load"]
  readonly version: string
}

/** The second signal of a kind would end Node at once, and with it the order in which things are stopped. */
const holdSignals = Effect.acquireRelease(
  Effect.sync(() => {
    const hold = () => undefined
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, hold)
    return hold
  }),
  (hold) =>
    Effect.sync(() => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.removeListener(signal, hold)
    })
)

const signals = (signal: NodeJS.Signals) =>
  Stream.asyncPush<void>((emit) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const listener = () => void emit.single(undefined)
        process.on(signal, listener)
        return listener
      }),
      (listener) => Effect.sync(() => process.removeListener(signal, listener))
    ), { bufferSize: 1, strategy: "sliding" })

const reloadOnHangup = ({ load }: Options, manager: ServiceManager.ServiceManager) =>
  Effect.flatMap(
    Tenement,
    ({ reload }) =>
      Stream.runForEach(signals("SIGHUP"), () =>
        Effect.flatMap(load, (next) => reload(next, { dryRun: false })).pipe(
          manager.reloading,
          Effect.matchEffect({
            onFailure: (error) => Effect.logError(`reload: ${error.message}`),
            onSuccess: ({ changes, problems }) =>
              Effect.zipRight(
                Effect.forEach(problems, (problem) => Effect.logWarning(`reload: ${problem}`), { discard: true }),
                Effect.logInfo(`reloaded: ${changes.length} changes`)
              )
          })
        ))
  )

/** Ends, and leaves the instances to the next supervisor. */
const leaveOnSignal = ({ leave }: typeof Replacement.Service) =>
  Stream.runForEach(signals("SIGUSR2"), () => Effect.catchAll(leave, (error) => Effect.logError(error.message)))

/** An actor of the supervisor's own, under the tree's `system`; gives what it has opened, or why it could not. */
const attached = <A, E>(id: string, open: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E, Tenement> =>
  Effect.gen(function*() {
    const { attach } = yield* Tenement
    const opened = yield* Deferred.make<A, E>()
    yield* attach({
      id,
      start: open.pipe(
        Effect.flatMap((built) => Deferred.succeed(opened, built)),
        Effect.tapErrorCause((cause) => Deferred.failCause(opened, cause)),
        Effect.as(Effect.never)
      )
    })
    return yield* Deferred.await(opened)
  })

/**
 * The API: it comes up before any service, and a defect in it restarts it. What it gives is the server that there is at
 * the moment. Nothing is answered of instances before `ready`.
 */
const serveApi = (
  options: Options,
  { inherited, ready, replacement }: {
    readonly inherited: ReadonlyMap<DoorName, number>
    readonly ready: Effect.Effect<void>
    readonly replacement: typeof Replacement.Service
  }
): Effect.Effect<() => Server.Server["Type"], ListenFailed, Tenement> =>
  Effect.gen(function*() {
    const { settings } = options.config
    const context = yield* Effect.context<Tenement>()
    let current: Server.Server["Type"] | undefined
    // The first server has them; should it have a defect, they are closed with it.
    let left = inherited
    const own = ["localhost", ...(settings.listen === null ? [] : [settings.listen.host])]
    const server = Layer.unwrapScoped(Effect.map(Gateway.make({ own }), (front) =>
      Server.layer({
        socket: settings.socket,
        listen: settings.listen,
        domain: settings.domain,
        dataDir: settings.dataDir,
        version: options.version,
        ready,
        front,
        inherited: left
      }))).pipe(
        Layer.provide(Layer.succeed(Replacement, replacement)),
        Layer.provide(Layer.succeed(ConfigSource, { load: options.load })),
        Layer.provide(Layer.succeedContext(context))
      )
    yield* attached(
      "control",
      Effect.map(Layer.build(Layer.fresh(server)), (built) => {
        current = Context.get(built, Server.Server)
        left = new Map()
      })
    )
    return () => current as Server.Server["Type"]
  })

/** What nginx tells of the requests that it serves straight from the sockets, where the file asks for it. */
const hearNginx = ({ config }: Options): Effect.Effect<void, Syslog.SyslogFailed, Tenement> => {
  const { syslog } = config.settings
  return syslog === null
    ? Effect.void
    : Effect.flatMap(
      Effect.context<Tenement>(),
      (context) => attached("syslog", Effect.mapInputContext(Syslog.listen(syslog), Context.merge(context)))
    )
}

/** The end of everything, which fails if something is left. */
const ended = ({ shutdown }: Context.Tag.Service<Tenement>) =>
  Effect.flatMap(shutdown, (left) =>
    left.length === 0 ? Effect.void : Effect.zipRight(
      Effect.logError(`could not be stopped, and is left behind: ${left.join(", ")}`),
      Effect.sync(() => {
        process.exitCode = 1
      })
    ))

const isDoor = (door: readonly [string, number]): door is [DoorName, number] => isDoorName(door[0])

/** Within it, services that start quickly have started. */
const settlingTime = "2 seconds"

/**
 * Runs a configuration until it is interrupted, and then stops everything in order. Where another supervisor has started
 * this one to take its place, it does so when that one gives way.
 *
 * @since 0.1.0
 * @category constructors
 */
export const serve = Effect.fn("daemon.serve")(
  function*(options: Options) {
    const { config, version } = options
    const { settings } = config
    const predecessor = yield* Predecessor.find
    yield* Launcher.closeInherited
    // What services inherit. Whatever of ours needs less says so itself.
    yield* Effect.sync(() => process.umask(0o022))
    yield* holdSignals
    if (predecessor !== null) yield* Handover.awaitTurn(predecessor, settings, version)
    const locked = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    yield* Scope.extend(Lock.hold(settings.dataDir), locked)
    const context = yield* Layer.build(Embed.layerStopped(config))
    return yield* Effect.gen(function*() {
      const isUp = yield* Effect.makeLatch(false)
      const manager = yield* ServiceManager.attend(process.env)
      const { boot } = yield* Tenement
      let server = (): Server.Server["Type"] | null => null
      const replacement = yield* Handover.make({
        settings,
        version,
        manager,
        server: () => server(),
        unlock: Scope.close(locked, Exit.void)
      })
      // Requests that wait at inherited doors are answered by instances that have been taken over.
      if (predecessor !== null) yield* boot
      const inherited = new Map([...predecessor?.listeners ?? []].filter(isDoor))
      const served = yield* serveApi(options, { inherited, ready: isUp.await, replacement })
      server = served
      yield* hearNginx(options)
      yield* Effect.forkScoped(reloadOnHangup(options, manager))
      yield* Effect.forkScoped(leaveOnSignal(replacement))
      yield* Effect.ensuring(boot, isUp.open)
      if (predecessor !== null) {
        yield* predecessor.succeed((name, connection) => {
          const door = served().doors.find((door) => door.name === name)
          return door === undefined ? void connection.destroy() : door.admit(connection)
        })
      }
      yield* manager.ready
      const { listen, socket } = served()
      const web = listen === null ? "" : ` and http://${listen.host}:${listen.port}`
      yield* Effect.logInfo(`tenement ${version} serves ${config.file} on ${socket}${web}`)
      yield* Effect.sleep(settlingTime)
      yield* Heap.trim
      return yield* Effect.never
    }).pipe(Effect.ensuring(ended(Context.get(context, Tenement))), Effect.provide(context))
  },
  Effect.scoped,
  Effect.withTracerEnabled(false)
)
