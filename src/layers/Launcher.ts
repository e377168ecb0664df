/**
 * Starts instances. Helper programs are `LauncherExec`'s and `LauncherPipe`'s; no other module starts a process.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import type * as Net from "node:net"
import { type ExitStatus, unknown } from "../domain/Exit.ts"
import type { InstanceName } from "../domain/Names.ts"
import { acquire } from "../internal/acquire.ts"
import { bounded } from "../internal/bounded.ts"
import { codeOf, unless } from "../internal/errno.ts"
import type { Cgroup } from "./Cgroup.ts"
import { LaunchFailed } from "./Errors.ts"
import * as Chain from "./internal/chain.ts"
import * as Command from "./internal/command.ts"
import type { Problem } from "./internal/executable.ts"
import * as Report from "./internal/isolation/report.ts"
import * as ProcessTree from "./internal/processTree.ts"
import * as Procfs from "./internal/procfs.ts"
import * as Sessions from "./internal/sessions.ts"
import * as LauncherShell from "./LauncherShell.ts"
import * as LauncherWatch from "./LauncherWatch.ts"
import type { Adoption, Identity, LaunchSpec, Prepared, Process } from "./Process.ts"

export type { Adoption, LaunchSpec, Prepared, Process }

/**
 * Starts processes. `launch` is quick and cannot be interrupted half-way: either the caller's scope owns a process
 * whose tree is killed when the scope closes, or there is none.
 *
 * @since 0.1.0
 * @category tags
 */
export class Launcher extends Context.Tag("tenement/layers/Launcher")<Launcher, {
  readonly launch: (spec: LaunchSpec) => Effect.Effect<Process, LaunchFailed, Scope.Scope>
  /**
   * What makes a later launch in that cgroup quicker, where there is such a thing: a process that waits in it, and ends with
   * the scope if it is not launched. `null` if it cannot be had; the launch does without.
   */
  readonly prepare:
    | ((instance: InstanceName, cgroup: Cgroup | null) => Effect.Effect<Prepared | null, never, Scope.Scope>)
    | null
  /**
   * Takes over what an earlier supervisor started: the same process, or what it left behind, if there is any of it. How
   * it ended is known where something saw it; otherwise its status has neither code nor signal.
   */
  readonly adopt: (adoption: Adoption) => Effect.Effect<Process, never, Scope.Scope>
}>() {}

const failed = (spec: LaunchSpec, { advice, code, what }: Problem): LaunchFailed =>
  new LaunchFailed({ instance: spec.instance, code, what, advice })

const advice: Readonly<Record<string, string>> = {
  E2BIG: "Its arguments and environment are too long together.",
  EAGAIN: "The machine, or the pids limit around the supervisor, has no room for another process.",
  EMFILE: "The supervisor has too many files open; raise its limit (ulimit -n, LimitNOFILE).",
  ENFILE: "The machine has too many files open; raise fs.file-max.",
  ENOMEM: "The machine has no memory left for another process."
}

const refused = (spec: LaunchSpec, error: unknown): LaunchFailed => {
  const code = codeOf(error)
  return failed(spec, {
    code,
    what: `command ${spec.argv[0]}`,
    advice: advice[code] ?? "The kernel refused it; check command, cwd and user in the file."
  })
}

interface Started {
  readonly process: Process
  /** Lets the way to the command go on to its end. */
  readonly go: Effect.Effect<void>
  /** What the way to the command had to say when it ended; nothing, where it ended in the command. */
  readonly report: Deferred.Deferred<string>
}

const begin = (spec: LaunchSpec, way: Chain.Way): ChildProcess.ChildProcess =>
  ChildProcess.spawn(way.shell, Chain.argumentsOf(way, spec), {
    argv0: "sh",
    cwd: spec.cwd,
    env: way.env,
    detached: true,
    stdio: ["ignore", spec.stdout, spec.stderr, "pipe", ...(Chain.hasListener(spec) ? [spec.listener] : [])]
  })

const spawn = (
  spec: LaunchSpec,
  look: Effect.Effect<Sessions.Sessions>
): Effect.Effect<Started, LaunchFailed> =>
  Effect.async((resume) => {
    const way = Command.resolve(spec)
    if ("what" in way) return resume(Effect.fail(failed(spec, way)))
    let child: ChildProcess.ChildProcess
    try {
      child = LauncherShell.take(spec, way) ?? begin(spec, way)
    } catch (error) {
      return resume(Effect.fail(refused(spec, error)))
    }
    const pid = child.pid
    if (pid === undefined) {
      child.once("error", (error) => resume(Effect.fail(refused(spec, error))))
      return
    }
    const exited = Deferred.unsafeMake<ExitStatus>(FiberId.none)
    const file = spec.wrapper?.report
    child.once("exit", (code, signal) => {
      const status = { code, signal }
      Deferred.unsafeDone(exited, Exit.succeed(file === undefined ? status : Report.read(file, status)))
    })
    const report = Deferred.unsafeMake<string>(FiberId.none)
    let said = ""
    const line = child.stdio[3] as Net.Socket
    line.on("data", (text: Buffer) => said += text.toString())
    // A pipe that breaks says no more; it is closed next.
    line.on("error", () => undefined)
    line.once("close", () => Deferred.unsafeDone(report, Exit.succeed(said)))
    const go = Effect.sync(() => void line.write("\n"))
    // Node also emits `error` when a signal cannot be delivered; signals are not sent through it, so none can come.
    const tree = spec.cgroup ? ProcessTree.inCgroup(spec.cgroup, exited) : ProcessTree.inSession(pid, exited, look)
    resume(Effect.succeed({ process: ProcessTree.make(pid, exited, tree, spec.wrapper), go, report }))
  })

/** A cgroup that somebody froze would hold the way to the command for ever. */
const patience = "10 seconds"

const arrived = (spec: LaunchSpec, { process, report }: Started): Effect.Effect<Process, LaunchFailed> =>
  Deferred.await(report).pipe(
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        failed(spec, {
          code: "ETIMEDOUT",
          what: `command ${spec.argv[0]} was not executed within ${patience}`,
          advice: "The machine is too busy, or the cgroup that it joins is frozen."
        })
    }),
    Effect.flatMap((said) =>
      said === "" ? Effect.succeed(process) : Effect.fail(failed(spec, Chain.problemOf(said, spec)))
    )
  )

const adopt = (
  adoption: Adoption,
  look: Effect.Effect<Sessions.Sessions>,
  ended: (identity: Identity) => Effect.Effect<void>
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { cgroup, instanceDir, pid, startTime, wrapper } = adoption
    const exited = Deferred.unsafeMake<ExitStatus>(FiberId.none)
    const known = Effect.sync(() => wrapper === null ? unknown : Report.read(wrapper.report, unknown))
    const watch = Effect.flatMap(Effect.zipRight(ended(adoption), known), (status) => Deferred.succeed(exited, status))
    // What is gone already is known to be, before anybody asks for its end.
    yield* Procfs.isThere(adoption)
      ? Effect.forkScoped(Effect.interruptible(watch))
      : Effect.flatMap(known, (status) => Deferred.succeed(exited, status))
    const tree = cgroup === null
      ? ProcessTree.inForeignSession(adoption, instanceDir, exited, look)
      : ProcessTree.inCgroup(cgroup, exited)
    const process = ProcessTree.make(pid, exited, tree, wrapper ?? undefined, startTime)
    yield* Scope.addFinalizer(yield* Effect.scope, bounded(process.killTree, "2 seconds"))
    return process
  })

/**
 * By Node's own `spawn`, through a shell that joins the cgroup and becomes the command; through `setpriv` too, if it runs
 * as somebody else. The actor stops a process politely; closing the scope is the backstop.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Launcher> = Layer.scoped(
  Launcher,
  Effect.zipWith(Sessions.make, LauncherWatch.make, (look, ended) => ({
    adopt: Effect.fn("Launcher.adopt")((adoption: Adoption) => adopt(adoption, look, ended)),
    prepare: LauncherShell.makePrepare(),
    launch: Effect.fn("Launcher.launch")((spec: LaunchSpec) =>
      Effect.uninterruptible(
        acquire(spawn(spec, look), ({ process }) => bounded(process.killTree, "2 seconds")).pipe(
          Effect.tap(({ go, process }) => Effect.zipRight(spec.announce?.(process) ?? Effect.void, go)),
          Effect.flatMap((started) => Effect.interruptible(arrived(spec, started)))
        )
      )
    )
  }))
)

/**
 * Closes the file descriptors that this process was itself started with, and would hand on to every service. What Node
 * opens is closed by the kernel when a service is executed, and of what it finds Node marks the first sixteen so; any
 * higher one is left to us. For the start of a daemon.
 *
 * @since 0.1.0
 * @category combinators
 */
export const closeInherited: Effect.Effect<void> = Effect.sync(() => {
  const closeOnExec = 0o2000000
  for (const fd of Fs.readdirSync("/proc/self/fd").map(Number)) {
    if (fd <= 2) continue
    const info = unless(["ENOENT"], () => Fs.readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))
    const flags = /^flags:\s*(\d+)/m.exec(info ?? "")?.[1]
    if (flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0) Fs.closeSync(fd)
  }
})
