/**
 * The processes of a simulated machine, as they really are: what the supervisor believes of them is another matter.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import { type ExitStatus, unknown } from "../domain/Exit.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import { LaunchFailed } from "../layers/Errors.ts"
import type { Adoption, LaunchSpec, Process } from "../layers/Launcher.ts"
import type { Identity } from "../layers/Process.ts"
import type { Behaviour, LaunchFault } from "./Program.ts"

/**
 * A process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Child {
  readonly instance: InstanceName
  readonly incarnation: number
  readonly pid: number
  readonly startTime: string
  readonly startedAtMs: number
  /** The main process runs. */
  alive: boolean
  /** Something that it forked does. */
  strays: boolean
  /** How the main process ended. */
  status: ExitStatus | null
  endedAtMs: number | null
  /** The kernel killed it for memory. */
  oomKilled: boolean
  /** In the order in which they came. */
  readonly signals: Array<string>
  /** When the first of them came. */
  signaledAtMs: number | null
  /** The main process ends by itself. */
  readonly exit: (status: Partial<ExitStatus>) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Milliseconds since the machine began; it has no time of its own. */
  readonly now?: () => number
  /** Something that happens later, whatever becomes of the supervisor. Without it, a supervisor's end is the end of all. */
  readonly later?: (ms: number, happen: () => void) => void
  /** Looks at each launch; what it gives is a violation. */
  readonly mayStart?: (spec: LaunchSpec) => string | null
  /** Looks at each main process that is alive and gets SIGKILL; what it gives is a violation. */
  readonly mayKill?: (child: Child) => string | null
}

interface Own {
  readonly exited: Deferred.Deferred<ExitStatus>
  readonly gone: Deferred.Deferred<void>
}

/** The way to a program, of which the supervisor died before it let it go on. */
const neverRan = ({ pid, startTime }: Identity): Process => ({
  pid,
  programPid: Effect.succeed(null),
  startTime,
  exited: Effect.succeed(unknown),
  signal: () => Effect.void,
  hasStragglers: Effect.succeed(false),
  signalTree: () => Effect.void,
  treeGone: Effect.void,
  killTree: Effect.void,
  survivors: Effect.succeed([])
})

/**
 * @since 0.1.0
 * @category models
 */
export class Processes {
  readonly children: Array<Child> = []
  /** Everything that happened to them, in order: `start cart:default`, `end cart:default`. */
  readonly trace: Array<string> = []
  /** What must never happen, and did. */
  readonly violations: Array<string> = []
  /** A pid that is free is used again at once. */
  reusesPids = false
  private readonly options: Options
  private readonly of: (service: string) => Behaviour
  private readonly own = new WeakMap<Child, Own>()
  /** What the present supervisor has started or taken over. */
  private readonly owned = new Set<Child>()
  private started = 0

  constructor(of: (service: string) => Behaviour, options: Options) {
    this.of = of
    this.options = options
  }

  private isThere({ alive, strays }: Child): boolean {
    return alive || strays
  }

  private behaviour({ instance }: Pick<Child, "instance">): Behaviour {
    return this.of(parts(instance).service)
  }

  private freePid(): number {
    const last = this.reusesPids ? this.children.findLast((child) => !this.isThere(child)) : undefined
    const isFree = last !== undefined && !this.children.some((child) => child.pid === last.pid && this.isThere(child))
    return isFree ? last.pid : 100 + this.started
  }

  /** All of them end, and nobody is told. */
  clear(): void {
    for (const child of this.children) {
      if (child.alive) this.trace.push(`end ${child.instance}`)
      child.alive = false
      child.strays = false
    }
  }

  /** The supervisor is another one, and knows none of them. */
  disown(): void {
    this.owned.clear()
  }

  /** The main process ends. */
  end(child: Child, status: Partial<ExitStatus>): void {
    const own = this.own.get(child)
    if (!child.alive || own === undefined) return
    child.alive = false
    child.endedAtMs = this.options.now?.() ?? 0
    child.status = { ...unknown, ...status }
    this.trace.push(`end ${child.instance}`)
    Deferred.unsafeDone(own.exited, Exit.succeed(child.status))
    child.strays = this.behaviour(child).leavesStrays
    if (!child.strays) Deferred.unsafeDone(own.gone, Exit.void)
  }

  private kill(child: Child): void {
    if (child.alive) this.complain(this.options.mayKill?.(child))
    this.finish(child)
  }

  private finish(child: Child): void {
    this.end(child, { signal: "SIGKILL" })
    if (!child.strays) return
    child.strays = false
    const own = this.own.get(child)
    if (own !== undefined) Deferred.unsafeDone(own.gone, Exit.void)
  }

  private complain(problem: string | null | undefined): void {
    if (problem !== null && problem !== undefined) this.violations.push(problem)
  }

  private obey(child: Child, signal: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!child.alive) return Effect.void
      const { ignoresTerm, stopMs } = this.behaviour(child)
      child.signals.push(signal)
      child.signaledAtMs ??= this.options.now?.() ?? 0
      if (signal !== "SIGTERM" || ignoresTerm) return Effect.void
      const end = () => this.end(child, { signal })
      if (stopMs === 0) return Effect.sync(end)
      return this.options.later === undefined
        ? Effect.asVoid(Effect.forkDaemon(Effect.delay(Effect.sync(end), stopMs)))
        : Effect.sync(() => this.options.later?.(stopMs, end))
    })
  }

  private handle(child: Child, { exited, gone }: Own): Process {
    return {
      pid: child.pid,
      programPid: Effect.succeed(child.pid),
      startTime: child.startTime,
      exited: Deferred.await(exited),
      signal: (signal) => this.obey(child, signal),
      hasStragglers: Effect.sync(() => child.strays),
      signalTree: () => Effect.void,
      treeGone: Deferred.await(gone),
      killTree: Effect.sync(() => this.kill(child)),
      survivors: Effect.succeed([])
    }
  }

  private start(spec: LaunchSpec, { pid, startTime }: Identity): Process {
    const { incarnation, instance } = spec
    if (this.children.some((child) => child.instance === instance && this.isThere(child))) {
      this.violations.push(`a second ${instance} was started`)
    }
    this.complain(this.options.mayStart?.(spec))
    const own: Own = { exited: Deferred.unsafeMake(FiberId.none), gone: Deferred.unsafeMake(FiberId.none) }
    const child: Child = {
      instance,
      incarnation,
      pid,
      startTime,
      startedAtMs: this.options.now?.() ?? 0,
      alive: true,
      strays: false,
      status: null,
      endedAtMs: null,
      oomKilled: false,
      signals: [],
      signaledAtMs: null,
      exit: (status) => Effect.sync(() => this.end(child, status))
    }
    this.own.set(child, own)
    this.children.push(child)
    this.owned.add(child)
    this.trace.push(`start ${instance}`)
    const { endsAtOnce } = this.behaviour(child)
    if (endsAtOnce !== null) this.end(child, endsAtOnce)
    return this.handle(child, own)
  }

  private fail(spec: LaunchSpec, fault: LaunchFault) {
    return fault === "throws"
      ? Effect.die(new Error("spawn threw"))
      : new LaunchFailed({
        instance: spec.instance,
        code: fault,
        what: `command ${spec.argv[0]}`,
        advice: "Try again."
      })
  }

  /** As the launcher's. */
  launch(spec: LaunchSpec): Effect.Effect<Process, LaunchFailed, Scope.Scope> {
    const { failsToLaunch, launchMs } = this.behaviour(spec)
    const late = launchMs === 0 ? Effect.void : Effect.sleep(launchMs)
    if (failsToLaunch !== false) {
      return Effect.zipRight(late, this.fail(spec, failsToLaunch === true ? "ENOENT" : failsToLaunch))
    }
    // A program does not run before it was announced, and never if the supervisor dies meanwhile.
    const started = Effect.suspend(() => {
      const identity = { pid: this.freePid(), startTime: String(this.started++) }
      return Effect.zipRight(
        spec.announce?.(identity) ?? Effect.void,
        Effect.sync(() => this.start(spec, identity))
      )
    })
    return Effect.acquireRelease(
      Effect.zipLeft(started, late),
      ({ killTree }) => killTree
    )
  }

  /** As the launcher's. */
  adopt({ pid, startTime }: Adoption): Effect.Effect<Process, never, Scope.Scope> {
    return Effect.gen(this, function*() {
      const found = this.children.find((child) => child.pid === pid && child.startTime === startTime)
      const known = found === undefined ? undefined : this.own.get(found)
      if (found === undefined || known === undefined) {
        if (Number(startTime) >= this.started) {
          return yield* Effect.dieMessage(`pid ${pid} was never started, and is taken over`)
        }
        return neverRan({ pid, startTime })
      }
      // Another one's child: nobody tells how it ended.
      const exited = yield* Deferred.make<ExitStatus>()
      if (found.alive) {
        yield* Effect.forkScoped(Effect.interruptible(
          Effect.zipRight(Deferred.await(known.exited), Deferred.succeed(exited, unknown))
        ))
      } else yield* Deferred.succeed(exited, unknown)
      this.owned.add(found)
      // What was started since that supervisor wrote anything down is found with it, by its cgroup or its environment.
      const others = () =>
        this.children.filter((child) =>
          child.instance === found.instance && this.isThere(child) && !this.owned.has(child)
        )
      const process: Process = {
        ...this.handle(found, { exited, gone: known.gone }),
        hasStragglers: Effect.sync(() => found.strays || others().length > 0),
        killTree: Effect.sync(() => {
          this.kill(found)
          for (const child of others()) this.finish(child)
        })
      }
      yield* Scope.addFinalizer(yield* Effect.scope, process.killTree)
      return process
    })
  }

  /** Ends what there is of those runs, as somebody does who finds it in their cgroups; gives how much that was. */
  sweep(isLeft: (run: Child) => boolean): number {
    const left = this.children.filter((child) => this.isThere(child) && isLeft(child))
    for (const child of left) this.finish(child)
    return left.length
  }
}
