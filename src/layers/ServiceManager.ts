/**
 * Who started the supervisor, where that wants to hear how it is: systemd, of a unit with `Type=notify`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { bounded } from "../internal/bounded.ts"
import * as LauncherExec from "./LauncherExec.ts"

/**
 * What it is told.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceManager {
  readonly ready: Effect.Effect<void>
  /** A reload, which it hears of before and after. */
  readonly reloading: <A, E, R>(reload: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The supervisor with this pid is the unit's main process from now on. */
  readonly succeededBy: (pid: number) => Effect.Effect<void>
  /** What another supervisor needs in its environment to speak to it. */
  readonly environment: NodeJS.ProcessEnv
}

const nobody: ServiceManager = {
  ready: Effect.void,
  reloading: (reload) => reload,
  succeededBy: () => Effect.void,
  environment: {}
}

/** How often the watchdog is to be told that all is well: twice in the time after which it would bite. */
const watchdogMs = (env: NodeJS.ProcessEnv): number | null => {
  const { WATCHDOG_PID: pid, WATCHDOG_USEC: usec } = env
  const isOurs = pid === undefined || pid === String(process.pid)
  const ms = Math.floor(Number(usec) / 2000)
  return isOurs && ms > 0 ? ms : null
}

/**
 * The service manager that the environment names, if any; its variables are taken out of the environment. It is told of
 * the end when the scope closes, and until then the watchdog is, if it has one.
 *
 * Through `systemd-notify`, as Node has no datagram sockets of the Unix family: it waits until it was heard, and as root
 * speaks in the supervisor's name, which is the only one that systemd listens to by default.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attend = (env: NodeJS.ProcessEnv): Effect.Effect<ServiceManager, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec } = env
    const everyMs = watchdogMs(env)
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"]) delete env[name]
    if (socket === undefined || socket === "") return nobody
    const tell = (...assignments: ReadonlyArray<string>) =>
      Effect.catchAll(
        LauncherExec.execWith({ NOTIFY_SOCKET: socket }, "systemd-notify", ...assignments),
        ({ message }) => Effect.logWarning(`the service manager could not be told ${assignments[0]}: ${message}`)
      )
    yield* Effect.addFinalizer(() => bounded(tell("STOPPING=1"), "2 seconds"))
    if (everyMs !== null) yield* Effect.forkScoped(Effect.repeat(tell("WATCHDOG=1"), Schedule.fixed(everyMs)))
    const ready = Effect.asVoid(tell("READY=1"))
    const monotonic = Effect.sync(() => `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`)
    return {
      ready,
      // The other one's first word to the watchdog is heard after this one's last.
      succeededBy: (pid) => Effect.asVoid(tell(`MAINPID=${pid}`, ...(everyMs === null ? [] : ["WATCHDOG=1"]))),
      environment: { NOTIFY_SOCKET: socket, ...(usec === undefined ? {} : { WATCHDOG_USEC: usec }) },
      reloading: (reload) =>
        Effect.zipRight(Effect.flatMap(monotonic, (at) => tell("RELOADING=1", at)), Effect.ensuring(reload, ready))
    }
  })
