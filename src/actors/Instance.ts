/**
 * The actor of one instance: the only writer of its state.
 *
 * It takes an event from its mailbox, asks `decide` what follows, and performs the commands through its layers; what
 * they bring about comes back as events. A defect ends the actor's fiber and nothing else: state, mailbox, waiting
 * callers and the live process belong to the instance, and the next fiber goes on with them.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Cause as Reason } from "../domain/Cause.ts"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import { decide, resume } from "../domain/decide.ts"
import type { Command, InstanceEvent } from "../domain/InstanceEvent.ts"
import { initial, type InstanceState, label } from "../domain/InstanceState.ts"
import { type GroupName, type InstanceName, parts as namesOf, type ServiceName } from "../domain/Names.ts"
import type { Endpoint } from "../layers/Endpoint.ts"
import { Events } from "../layers/Events.ts"
import { type InstanceLog, Logs } from "../layers/Logs.ts"
import { Metrics } from "../layers/Metrics.ts"
import { Sockets } from "../layers/Sockets.ts"
import { close } from "./Close.ts"
import { Directory } from "./Directory.ts"
import { ActorLost, Busy } from "./Errors.ts"
import * as HealthLoop from "./HealthLoop.ts"
import * as InstanceParts from "./InstanceParts.ts"
import * as InstanceRun from "./InstanceRun.ts"
import { now } from "./Now.ts"
import * as PublicSocket from "./PublicSocket.ts"
import { StartSlots } from "./StartSlots.ts"
import { type Settled, verdict, type Wish } from "./Wish.ts"

/**
 * What an instance's actor asks for, of what all instances share (`Embed.Machine`).
 *
 * @since 0.1.0
 * @category models
 */
export type Needs = Logs | Events | Metrics | Directory | StartSlots | InstanceRun.Needs | InstanceParts.Shared

/**
 * How much may wait for one instance; callers beyond it are turned away.
 *
 * @since 0.1.0
 * @category constants
 */
export const mailboxCapacity = 64

/** Room beyond that for what the actor's own tasks tell it, so that no crowd of callers keeps out the end of a launch. */
const reserve = 64

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly name: InstanceName
  readonly config: ServiceConfig
  readonly settings: Settings
  readonly group: GroupName | null
  readonly layers: InstanceParts.LayersFor
  /** The instance failed in a way that its group answers for, `delayMs` from now. */
  readonly tellGroup: (delayMs: number) => Effect.Effect<void>
}

/**
 * What can be seen of an instance at one moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  readonly name: InstanceName
  readonly parts: InstanceParts.InstanceParts
  readonly state: InstanceState
  readonly endpoint: Endpoint | null
  readonly waitingFor: ReadonlyArray<ServiceName>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Instance {
  readonly name: InstanceName
  /** The actor itself, until it is interrupted or has a defect. Run by a supervisor, one at a time. */
  readonly run: Effect.Effect<void>
  /** Asks for something and waits for the outcome; turned away when too much is waiting already. */
  readonly ask: (verb: Verb, cause: Reason) => Effect.Effect<Settled, Busy | ActorLost>
  /** The same without waiting for the outcome; waits for room in the mailbox instead. */
  readonly order: (verb: Verb | "GiveUp", cause: Reason) => Effect.Effect<void>
  /** Rules, checks and layers of a new configuration, from now on; the process is left alone. */
  readonly reconfigure: (config: ServiceConfig, group: GroupName | null) => Effect.Effect<void, ActorLost>
  readonly snapshot: Effect.Effect<Snapshot>
}

/**
 * @since 0.1.0
 * @category models
 */
export type Verb = "Start" | "Stop" | "Restart"

type Dated = InstanceEvent extends infer E ? E extends { readonly at: unknown } ? Omit<E, "at"> : never : never

type Message =
  | { readonly _tag: "Event"; readonly event: InstanceEvent; readonly wish?: Wish; readonly isStale?: () => boolean }
  | {
    readonly _tag: "Reconfigure"
    readonly config: ServiceConfig
    readonly group: GroupName | null
    readonly reply: Deferred.Deferred<void, ActorLost>
  }
  | { readonly _tag: "Defect"; readonly cause: Cause.Cause<never> }

/** What an actor's fiber does on the side; there is at most one of each. */
type Task =
  | "dependencies"
  | "launch"
  | "exit"
  | "readiness"
  | "probes"
  | "tree"
  | Extract<Command, { readonly _tag: "ArmTimer" }>["timer"]

/**
 * Makes an instance. What belongs to it longer than to one actor's fiber lives in the scope: its log, its layers, its run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(options: Options) {
  const { name } = options
  const { service } = namesOf(name)
  const context = yield* Effect.context<Needs>()
  const logs = yield* Logs
  const events = yield* Events
  const metrics = yield* Metrics
  const directory = yield* Directory
  const slots = yield* StartSlots
  const sockets = yield* Sockets
  const scope = yield* Effect.scope

  const mailbox = yield* Mailbox.make<Message>({ capacity: mailboxCapacity + reserve, strategy: "suspend" })
  const wishes = new Set<Wish>()
  const lost = new ActorLost({ actor: name })

  let partsScope = yield* Scope.fork(scope, { _tag: "Sequential" })
  let parts = yield* Scope.extend(InstanceParts.build(options.config, options.group, options.layers), partsScope)
  let state = initial
  let run: InstanceRun.InstanceRun | null = null
  let slot: Scope.CloseableScope | null = null
  let log: InstanceLog | null = null
  let waitingFor: ReadonlyArray<ServiceName> = []
  /** Of those, the ones that nobody has started. */
  let idle: ReadonlyArray<ServiceName> = []
  let closed = false

  yield* directory.tell(name, state)
  // Added to the scope by hand, here and below: `Effect.addFinalizer` keeps the fiber's whole state with each.
  yield* Scope.addFinalizer(scope, directory.forget(name))
  // Nobody waits for an instance that is gone, whether the actor had come to the request or not.
  yield* Scope.addFinalizer(
    scope,
    Effect.gen(function*() {
      closed = true
      const messages = yield* mailbox.clear
      for (const message of messages) {
        if (message._tag === "Reconfigure") yield* Deferred.fail(message.reply, lost)
        if (message._tag === "Event" && message.wish !== undefined) yield* Deferred.fail(message.wish.reply, lost)
      }
      yield* Effect.forEach(wishes, (wish) => Deferred.fail(wish.reply, lost), { discard: true })
      yield* mailbox.shutdown
    })
  )

  /** Never lost while the actor lives; while it is being stopped, `resume` makes up for it. */
  const post = (message: Message): Effect.Effect<void> =>
    Effect.suspend(() => mailbox.unsafeOffer(message) ? Effect.void : Effect.interruptible(mailbox.offer(message)))
  const tell = (event: Dated, isStale?: () => boolean): Effect.Effect<void> =>
    Effect.flatMap(now, (at) =>
      post({
        _tag: "Event",
        event: { ...event, at },
        ...(isStale === undefined ? {} : { isStale })
      }))

  /** Whoever waits for this start would wait until somebody starts the others. */
  const hopeless = (wish: Wish): Settled | null =>
    state.phase._tag === "Waiting" && wish.until === "ready" && idle.length > 0
      ? { _tag: "NotReady", reason: `it waits for ${idle.join(", ")}, which is not running; start that first` }
      : null

  const settle = Effect.flatMap(now, (at) =>
    Effect.forEach([...wishes], (wish) => {
      const settled = verdict(wish, state, at) ?? hopeless(wish)
      if (settled === null) return Effect.void
      wishes.delete(wish)
      return Deferred.succeed(wish.reply, settled)
    }, { discard: true }))

  const publish = (command: Extract<Command, { readonly _tag: "Publish" }>) =>
    events.publish({
      _tag: "Transition",
      instance: name,
      incarnation: state.incarnation,
      from: command.from,
      to: command.to,
      cause: command.cause
    })

  /** A launch has exactly one end that the actor hears of: launched, failed, or called off. */
  const launch = (incarnation: number) =>
    Effect.uninterruptible(
      Effect.gen(function*() {
        if (run !== null) return yield* tell({ _tag: "Launched", incarnation, pid: run.process.pid })
        const runScope = yield* Scope.fork(scope, { _tag: "Sequential" })
        const exit = yield* Effect.exit(Effect.gen(function*() {
          if (log === null) log = yield* Scope.extend(logs.open(name), scope)
          slot = yield* Scope.fork(runScope, { _tag: "Sequential" })
          yield* Effect.interruptible(Scope.extend(slots.take, slot))
          const { config, isolation, readiness } = parts
          return yield* InstanceRun.launch(
            { name, incarnation, config, settings: options.settings, readiness, isolation, log },
            runScope
          )
        }))
        if (Exit.isSuccess(exit)) {
          run = exit.value
          return yield* tell({ _tag: "Launched", incarnation, pid: run.process.pid })
        }
        yield* Scope.close(runScope, exit)
        const failure = Cause.failureOption(exit.cause)
        if (Option.isSome(failure)) {
          const code = "code" in failure.value ? failure.value.code : failure.value._tag
          const { message } = failure.value
          return yield* tell({ _tag: "LaunchFailed", incarnation, code, message })
        }
        if (Cause.isInterruptedOnly(exit.cause)) return yield* tell({ _tag: "LaunchAborted", incarnation })
        return yield* Effect.failCause(Cause.stripFailures(exit.cause))
      })
    ).pipe(Effect.provide(context))

  const publishSocket = ({ endpoint }: InstanceRun.InstanceRun) =>
    sockets.publish({ instance: name, endpoint, mode: parts.config.socketMode })

  const probe = (incarnation: number, current: InstanceRun.InstanceRun) => {
    const lead = PublicSocket.keeper({
      sockets,
      endpoint: current.endpoint,
      publish: publishSocket(current),
      notice: (message) => events.publish({ _tag: "Notice", level: "warning", subject: name, message })
    })
    return HealthLoop.run({
      check: parts.health,
      endpoint: current.endpoint,
      intervalMs: parts.config.healthIntervalMs,
      tell: (healthy, detail, seconds) =>
        metrics.probed(service, seconds).pipe(
          Effect.zipRight(lead),
          Effect.zipRight(tell({ _tag: "Probed", incarnation, healthy, detail }))
        )
    })
  }

  const awaitDependencies = (incarnation: number) =>
    directory.awaitReady(parts.policy.dependsOn, (missing, down) =>
      Effect.gen(function*() {
        const isNews = missing.join() !== waitingFor.join()
        waitingFor = missing
        if (isNews) {
          const shown = label(state.phase, parts.policy.health)
          yield* publish({ _tag: "Publish", from: shown, to: shown, cause: { _tag: "WaitingFor", services: missing } })
        }
        idle = down
        yield* settle
      })).pipe(
        Effect.ensuring(Effect.sync(() => {
          waitingFor = []
          idle = []
        })),
        Effect.zipRight(tell({ _tag: "DependenciesReady", incarnation }))
      )

  const releaseRun = Effect.suspend(() => {
    if (run === null) return Effect.void
    const { scope: runScope } = run
    run = null
    slot = null
    return close(runScope)
  })

  const actor = Effect.gen(function*() {
    const fiberScope = yield* Effect.scope
    const tasks = new Map<Task, { readonly fiber: Fiber.RuntimeFiber<void> | null }>()
    yield* Scope.addFinalizer(fiberScope, Effect.sync(() => tasks.clear()))

    const cancel = (task: Task) =>
      Effect.sync(() => {
        tasks.get(task)?.fiber?.unsafeInterruptAsFork(FiberId.none)
        tasks.delete(task)
      })
    /**
     * Replaces the task of that name. A defect in it is the actor's own. However soon it is cancelled it begins, so that
     * what must be told of its end is told.
     */
    const begin = (task: Task, body: (isStale: () => boolean) => Effect.Effect<void>) =>
      Effect.gen(function*() {
        yield* cancel(task)
        const entry: { fiber: Fiber.RuntimeFiber<void> | null } = { fiber: null }
        tasks.set(task, entry)
        entry.fiber = yield* body(() => tasks.get(task) !== entry).pipe(
          Effect.catchAllCause((cause) =>
            Cause.isInterruptedOnly(cause) ? Effect.void : post({ _tag: "Defect", cause })
          ),
          Effect.forkIn(fiberScope),
          Effect.uninterruptible
        )
      })
    const start = (task: Task, body: (isStale: () => boolean) => Effect.Effect<void>) =>
      begin(task, (isStale) => Effect.interruptible(body(isStale)))

    const perform = (command: Command): Effect.Effect<void> => {
      switch (command._tag) {
        case "Publish":
          return publish(command)
        case "AwaitDependencies":
          return start("dependencies", () => awaitDependencies(command.incarnation))
        case "StopAwaiting":
          return cancel("dependencies")
        case "Launch":
          return begin("launch", () => launch(command.incarnation))
        case "AbortLaunch":
          // What is being launched says itself how far it got; if nothing is, nobody else will.
          return tasks.has("launch")
            ? cancel("launch")
            : tell(
              run === null
                ? { _tag: "LaunchAborted", incarnation: command.incarnation }
                : { _tag: "Launched", incarnation: command.incarnation, pid: run.process.pid }
            )
        case "WatchExit":
          return start("exit", () => {
            const process = run?.process
            return process === undefined ? Effect.void : Effect.gen(function*() {
              const status = yield* process.exited
              const stragglers = yield* process.hasStragglers
              yield* tell({
                _tag: "Exited",
                incarnation: command.incarnation,
                status,
                oomKilled: false,
                stragglers
              })
            })
          })
        case "AwaitReadiness":
          return start("readiness", () => {
            const { incarnation } = command
            const current = run
            if (current === null) return Effect.void
            return current.ready((detail) => tell({ _tag: "NotReadyYet", incarnation, detail })).pipe(
              Effect.tap(publishSocket(current)),
              Effect.flatMap((by) => tell({ _tag: "Ready", incarnation, by })),
              Effect.catchAll(({ code, message }) => tell({ _tag: "LaunchFailed", incarnation, code, message }))
            )
          })
        case "StopReadiness":
          return Effect.zipRight(
            cancel("readiness"),
            Effect.suspend(() => {
              const held = slot
              slot = null
              return held === null ? Effect.void : close(held)
            })
          )
        case "StartProbes": {
          const current = run
          return current === null
            ? Effect.void
            : start("probes", () => probe(command.incarnation, current))
        }
        case "StopProbes":
          return cancel("probes")
        case "Signal":
          return run === null ? Effect.void : run.process.signal(command.signal as NodeJS.Signals)
        case "SignalTree":
          return run === null ? Effect.void : run.process.signalTree(command.signal as NodeJS.Signals)
        case "AwaitTree":
          return start("tree", () =>
            Effect.zipRight(
              run === null ? Effect.void : run.process.treeGone,
              tell({ _tag: "TreeGone", incarnation: command.incarnation })
            ))
        case "KillTree":
          return start("tree", () =>
            Effect.zipRight(
              run === null ? Effect.void : run.process.killTree,
              tell({ _tag: "TreeGone", incarnation: command.incarnation })
            ))
        case "ReleaseRun":
          return Effect.zipRight(
            Effect.forEach(["exit", "tree", "readiness", "probes", "launch"] as const, cancel, { discard: true }),
            releaseRun
          )
        case "ArmTimer":
          return start(command.timer, (isStale) =>
            Effect.zipRight(
              // Whole milliseconds, and never early.
              Effect.sleep(Math.ceil(command.delayMs)),
              tell({ _tag: "Elapsed", incarnation: command.incarnation, timer: command.timer }, isStale)
            ))
        case "CancelTimer":
          return cancel(command.timer)
        case "StepBackoff":
          return Effect.gen(function*() {
            const delay = yield* parts.backoff.next
            const at = yield* now
            yield* apply({
              _tag: "NextDelay",
              at,
              incarnation: command.incarnation,
              delayMs: Option.getOrNull(delay)
            })
          })
        case "ResetBackoff":
          return parts.backoff.reset
        case "CountRestart":
          return metrics.restarted(name, command.end?.reason ?? "unknown")
        case "TellGroup":
          return options.tellGroup(command.delayMs)
      }
    }

    const apply = (event: InstanceEvent): Effect.Effect<void> =>
      Effect.suspend(() => {
        const decision = decide(parts.policy, state, event)
        state = decision.state
        return Effect.zipRight(
          directory.tell(name, state),
          Effect.forEach(decision.commands, perform, { discard: true })
        )
      })

    const reconfigure = (config: ServiceConfig, group: GroupName | null) =>
      Effect.gen(function*() {
        const nextScope = yield* Scope.fork(scope, { _tag: "Sequential" })
        parts = yield* InstanceParts.build(config, group, options.layers).pipe(
          Scope.extend(nextScope),
          Effect.provide(context)
        )
        yield* close(partsScope)
        partsScope = nextScope
        const current = run
        // A probe in progress belongs to the old check.
        if (state.phase._tag === "Up" && current !== null) {
          const { incarnation } = state
          yield* parts.policy.health === null
            ? cancel("probes")
            : start("probes", () => probe(incarnation, current))
        }
      })

    const handle = (message: Message): Effect.Effect<void> => {
      switch (message._tag) {
        case "Defect":
          return Effect.failCause(message.cause)
        case "Reconfigure":
          return reconfigure(message.config, message.group).pipe(
            Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : Deferred.fail(message.reply, lost)),
            Effect.zipRight(Deferred.succeed(message.reply, undefined))
          )
        case "Event": {
          if (message.isStale?.() === true) return Effect.void
          const { wish } = message
          const before = state
          return apply(message.event).pipe(
            Effect.onError(() => wish === undefined ? Effect.void : Deferred.fail(wish.reply, lost)),
            Effect.tap(() =>
              Effect.sync(() => {
                if (wish === undefined) return
                wish.changed = before.phase !== state.phase
                wishes.add(wish)
              })
            ),
            Effect.zipRight(wishes.size > 0 || wish !== undefined ? settle : Effect.void)
          )
        }
      }
    }

    yield* Effect.forEach(resume(parts.policy, state, yield* now), perform, { discard: true })
    return yield* Effect.forever(Effect.flatMap(Effect.orDie(mailbox.take), handle))
  })

  const instance: Instance = {
    name,
    run: Effect.scoped(actor),
    order: (verb, cause) => tell({ _tag: verb, cause }),
    ask: (verb, cause) =>
      Effect.gen(function*() {
        const since = yield* now
        const reply = yield* Deferred.make<Settled, ActorLost>()
        const wish: Wish = { until: verb === "Stop" ? "gone" : "ready", since, reply, changed: true }
        const message: Message = { _tag: "Event", event: { _tag: verb, at: since, cause }, wish }
        if (closed) return yield* lost
        const waiting = Option.getOrElse(mailbox.unsafeSize(), () => 0)
        if (waiting >= mailboxCapacity || !mailbox.unsafeOffer(message)) return yield* new Busy({ actor: name })
        return yield* Deferred.await(reply).pipe(
          Effect.onInterrupt(() => Effect.sync(() => wishes.delete(wish)))
        )
      }),
    reconfigure: (config, group) =>
      Effect.gen(function*() {
        if (closed) return yield* lost
        const reply = yield* Deferred.make<void, ActorLost>()
        yield* post({ _tag: "Reconfigure", config, group, reply })
        return yield* Deferred.await(reply)
      }),
    snapshot: Effect.sync(() => ({ name, parts, state, endpoint: run?.endpoint ?? null, waitingFor }))
  }
  return instance
})
