/**
 * How one supervisor takes the place of another with every instance, connection and line of a log untouched.
 *
 * The new one is started, and reads and checks all it needs, while the old one works on. Only when it is ready does the old
 * one come to rest, write down where everything is, and give up what there can be one of: the lock, the store, the logs.
 * What the new one then does is what it does after a crash: it takes over what was written down. So whoever dies, and
 * whenever, there is one rule: who holds the lock goes on from what is written.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"
import * as InstanceRecord from "./actors/InstanceRecord.ts"
import { Tenement } from "./actors/Tenement.ts"
import type { DoorName } from "./control/Door.ts"
import { NotReplaced } from "./control/Errors.ts"
import type { Succession, Upgrade } from "./control/Payloads.ts"
import type { Refused, Replacement } from "./control/Replacement.ts"
import type { Server } from "./control/Server.ts"
import type { Settings } from "./domain/Config.ts"
import { bounded } from "./internal/bounded.ts"
import * as LauncherSuccessor from "./layers/LauncherSuccessor.ts"
import type { Predecessor } from "./layers/Predecessor.ts"
import type { ServiceManager } from "./layers/ServiceManager.ts"
import * as Store from "./layers/Store.ts"

/** Until the other one is ready, if nobody says otherwise, and from then on until it is in charge. */
const readyTime = 60
const chargeTime = "60 seconds"

/** How long requests may take that are under way when another supervisor has taken over, and when none has. */
const longPatience = "10 minutes"
const shortPatience = "10 seconds"

/** How often the place of this one is offered, once it cannot be taken back. */
const mostTries = 3

/**
 * What both supervisors must agree on: the one gives it up, the other takes it.
 */
const inCommon = ({ dataDir, listen, socket }: Settings) => ({
  data_dir: dataDir,
  socket,
  listen: listen === null ? "off" : `${listen.host}:${listen.port}`
})

/**
 * The other supervisor has written down what this version does not understand.
 *
 * @since 0.1.0
 * @category errors
 */
export class Illegible extends Schema.TaggedError<Illegible>()("Illegible", {
  instances: Schema.Array(Schema.String)
}) {
  override get message() {
    return `what is written down of ${this.instances.join(", ")} cannot be read by this version, which would stop them`
  }
}

/**
 * Tells the supervisor before this one that it can go, and waits until it has.
 *
 * @since 0.1.0
 * @category combinators
 */
export const awaitTurn = Effect.fn("handover.awaitTurn")(
  function*({ turn }: Predecessor, settings: Settings, version: string) {
    const instances = InstanceRecord.illegible(yield* Store.peek(settings.dataDir))
    if (instances.length > 0) return yield* new Illegible({ instances })
    yield* turn({ version, settings: inCommon(settings) })
  }
)

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly settings: Settings
  readonly version: string
  readonly manager: ServiceManager
  /** The server that there is at the moment. */
  readonly server: () => typeof Server.Service | null
  /** Lets go of the lock. */
  readonly unlock: Effect.Effect<void>
}

/** What there is to be passed on, and who gets it: nobody yet, at first. */
class Connections {
  private kept: Array<readonly [DoorName, Net.Socket]> = []
  private to: LauncherSuccessor.Successor | null = null

  readonly keep = (door: DoorName) => (connection: Net.Socket): void => {
    if (this.to === null) this.kept.push([door, connection])
    else this.to.pass(door, connection)
  }

  passTo(successor: LauncherSuccessor.Successor): void {
    this.to = successor
    for (const [door, connection] of this.kept.splice(0)) successor.pass(door, connection)
  }

  close(): void {
    for (const [, connection] of this.kept.splice(0)) connection.destroy()
  }
}

/**
 * The ways in which this supervisor can be replaced, in the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("handover.make")(function*(
  { manager, server, settings, unlock, version }: Options
): Effect.fn.Return<typeof Replacement.Service, never, Tenement | Scope.Scope> {
  const tenement = yield* Tenement
  const scope = yield* Effect.scope
  const one = yield* Effect.makeSemaphore(1)
  const doors = () => server()?.doors ?? []

  /** Nothing is undone from here on: what this process has belongs to another. */
  const exit = (code: number) => Effect.sync(() => process.exit(code))

  const start = (command: typeof Upgrade.Type["command"]) =>
    LauncherSuccessor.start({
      command: [
        ...(command ?? [process.execPath, ...process.execArgv, process.argv[1] ?? ""]),
        ...process.argv.slice(2)
      ] as [
        string,
        ...Array<string>
      ],
      env: { ...process.env, ...manager.environment },
      listeners: new Map(doors().map((door) => [door.name, door.fd()]))
    })

  /** Starts it, and waits until it is ready to take over; nothing is left of one that is not. */
  const prepared = ({ command, timeoutSeconds = readyTime }: typeof Upgrade.Type) =>
    Effect.gen(function*() {
      const successor = yield* start(command)
      const ready = yield* successor.ready.pipe(
        Effect.timeoutFail({
          duration: `${timeoutSeconds} seconds`,
          onTimeout: () =>
            new LauncherSuccessor.SuccessorFailed({ reason: `the other one was not ready within ${timeoutSeconds} s` })
        }),
        Effect.filterOrElse(
          (ready) => differing(ready).length === 0,
          (ready) =>
            new LauncherSuccessor.SuccessorFailed({
              reason: `${differing(ready).join(", ")}: a change here needs a restart of the supervisor`
            })
        ),
        Effect.onError(() => successor.kill)
      )
      return { successor, version: ready.version }
    })

  const differing = (ready: LauncherSuccessor.Ready): ReadonlyArray<string> => {
    const ours = inCommon(settings)
    return Object.entries(ready.settings).flatMap(([key, value]) =>
      value === ours[key as keyof typeof ours] ? [] : [`settings.${key}`]
    )
  }

  /** Comes to rest, and gives everything up. */
  const rest = (connections: Connections) =>
    tenement.leave(Effect.suspend(() => {
      for (const door of doors()) door.hold(connections.keep(door.name))
      return server()?.endStreams ?? Effect.void
    })).pipe(Effect.zipRight(unlock))

  type Candidate = Effect.Effect.Success<ReturnType<typeof prepared>>

  /** Gives it what this one has given up. Should it die over it, another one is started: there has to be somebody. */
  const entrust = (candidate: Candidate, left: number): Effect.Effect<Candidate> =>
    candidate.successor.give.pipe(
      Effect.zipRight(candidate.successor.inCharge),
      Effect.timeoutFail({
        duration: chargeTime,
        onTimeout: () => new LauncherSuccessor.SuccessorFailed({ reason: `it was not in charge within ${chargeTime}` })
      }),
      Effect.as(candidate),
      Effect.catchAll(({ message }) =>
        Effect.logError(`the supervisor that was to take over failed, and another is started: ${message}`).pipe(
          Effect.zipRight(candidate.successor.kill),
          Effect.zipRight(again(left - 1))
        )
      )
    )

  const again = (left: number): Effect.Effect<Candidate> =>
    left === 0
      ? Effect.zipRight(
        Effect.logError("no supervisor could take over: instances go on without one until one is started"),
        exit(1)
      )
      : Effect.matchEffect(prepared({}), {
        onFailure: ({ message }) => Effect.zipRight(Effect.logError(message), again(left - 1)),
        onSuccess: (candidate) => entrust(candidate, left)
      })

  /** Waits until what is under way is done. */
  const emptied = bounded(Effect.suspend(() => Effect.forEach(doors(), (door) => door.emptied)), longPatience)

  const closeDoors = Effect.sync(() => {
    for (const door of doors()) door.close()
  })

  /** What is asked of this one in between is for the other. */
  const told = new Set<NodeJS.Signals>()
  const hear = Effect.sync(() => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => told.add(signal))
  })

  const obey = ({ exited, pid }: LauncherSuccessor.Successor) =>
    Effect.suspend(() => {
      for (const signal of told) process.kill(pid, signal)
      return told.size === 0 ? Effect.void : exited
    })

  const replace = (request: typeof Upgrade.Type, result: Deferred.Deferred<Succession, Refused>) =>
    Effect.gen(function*() {
      const connections = new Connections()
      yield* Effect.logInfo("another supervisor is started in the place of this one")
      const ready = yield* Effect.catchAll(prepared(request), ({ reason }) => new NotReplaced({ reason }))
      yield* Effect.onError(rest(connections), () => ready.successor.kill)
      yield* hear
      const { successor, version: next } = yield* entrust(ready, mostTries)
      connections.passTo(successor)
      yield* closeDoors
      yield* manager.succeededBy(successor.pid)
      yield* Effect.logInfo(`the supervisor with pid ${successor.pid}, version ${next}, is in charge`)
      yield* Deferred.succeed(result, {
        now: { pid: successor.pid, version: next },
        before: { pid: process.pid, version }
      })
      yield* emptied
      yield* successor.passed
      yield* obey(successor)
      yield* exit(0)
    }).pipe(Effect.tapError((error) => Effect.logError(error.message)))

  const depart = (result: Deferred.Deferred<void, Refused>) =>
    Effect.gen(function*() {
      const connections = new Connections()
      yield* rest(connections)
      yield* closeDoors
      yield* server()?.removeSocket ?? Effect.void
      connections.close()
      yield* Effect.logInfo("this supervisor ends, and leaves its instances to the next one")
      yield* Deferred.succeed(result, undefined)
      yield* bounded(emptied, shortPatience)
      yield* exit(0)
    })

  /** Done whether or not who asked for it still waits. */
  const once = <A>(work: (result: Deferred.Deferred<A, Refused>) => Effect.Effect<void, Refused>) =>
    Effect.gen(function*() {
      const result = yield* Deferred.make<A, Refused>()
      yield* one.withPermitsIfAvailable(1)(work(result)).pipe(
        Effect.filterOrFail(Option.isSome, () => new NotReplaced({ reason: "it is being replaced already" })),
        Effect.catchAllCause((cause) => Deferred.failCause(result, cause)),
        Effect.forkIn(scope)
      )
      return yield* Deferred.await(result)
    })

  return { upgrade: (request) => once<Succession>((result) => replace(request, result)), leave: once<void>(depart) }
})
