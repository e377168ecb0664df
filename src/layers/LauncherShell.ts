/**
 * Shells that wait in a cgroup to become the command of a launch. Such a launch waits for no fork of this process, for no
 * start of a shell, and not until the kernel has let it into a cgroup: two thirds of what is otherwise between a request for
 * an instance that sleeps and the first instruction of its program.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import type { InstanceName } from "../domain/Names.ts"
import { bounded } from "../internal/bounded.ts"
import type { Cgroup } from "./Cgroup.ts"
import * as Chain from "./internal/chain.ts"
import type { LaunchSpec, Prepared } from "./Process.ts"

/** What is longer may be more than the kernel allows, and it says so when a shell is started for it. */
const mostText = 32 * 1024

/** A FIFO that is opened again is the same; a file would be written from its beginning, and a socket cannot be opened. */
const canBeOpened = ({ stderr, stdout }: LaunchSpec): boolean =>
  [stdout, stderr].every((fd) => Fs.fstatSync(fd).isFIFO())

class Shell implements Prepared {
  readonly #shell = Chain.smallest()
  readonly #child: ChildProcess.ChildProcess
  readonly #ended = Deferred.unsafeMake<void>(FiberId.none)
  readonly #greeted = Deferred.unsafeMake<boolean>(FiberId.none)
  #isTaken = false

  constructor(instance: InstanceName, cgroup: Cgroup | null) {
    // Its last word is for who lists processes.
    this.#child = ChildProcess.spawn(this.#shell, ["-s", `# tenement: ready to start ${instance}`], {
      argv0: "sh",
      cwd: "/",
      env: {},
      detached: true,
      stdio: ["pipe", "ignore", "ignore", "pipe"]
    })
    const [input, , , line] = this.#child.stdio
    const end = () => {
      Deferred.unsafeDone(this.#greeted, Exit.succeed(false))
      Deferred.unsafeDone(this.#ended, Exit.void)
    }
    // Without it the launch starts a shell of its own, and says what is wrong.
    this.#child.once("error", end)
    this.#child.once("exit", end)
    // A pipe breaks when the shell ends.
    input?.on("error", () => undefined)
    line?.on("error", () => undefined)
    line?.once("data", () => Deferred.unsafeDone(this.#greeted, Exit.succeed(true)))
    this.#child.stdin?.write(Chain.greeting(cgroup))
  }

  /** Whether it waits where it should. */
  get greeted(): Effect.Effect<boolean> {
    return Deferred.await(this.#greeted)
  }

  /** Kills it, unless it has become somebody else's. */
  kill(): void {
    if (!this.#isTaken) this.#child.kill("SIGKILL")
  }

  /** The same, and waits. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#isTaken) return Effect.void
      this.kill()
      return bounded(Deferred.await(this.#ended), "2 seconds")
    })
  }

  take(spec: LaunchSpec, way: Chain.Way): ChildProcess.ChildProcess | null {
    const { exitCode, killed, signalCode } = this.#child
    if (this.#isTaken || killed || exitCode !== null || signalCode !== null || this.#shell !== way.shell) return null
    if (Chain.hasListener(spec) || !canBeOpened(spec)) return null
    const text = Chain.textOf(way, spec)
    if (text.length > mostText) return null
    this.#isTaken = true
    this.#child.stdin?.end(text)
    return this.#child
  }
}

/**
 * The shell that was prepared for a launch, with all it is to do, as if it had been started for that; it is the caller's
 * from then on. `null` if it has gone, or cannot do this: then it ends, as it is in the cgroup of what is started instead.
 *
 * @since 0.1.0
 * @category combinators
 */
export const take = ({ prepared, ...spec }: LaunchSpec, way: Chain.Way): ChildProcess.ChildProcess | null => {
  if (!(prepared instanceof Shell)) return null
  const taken = prepared.take(spec, way)
  if (taken === null) prepared.kill()
  return taken
}

/** How many wait at once. Each is a process of some 200 KB. */
const most = 32

/**
 * Prepares shells. Each ends with its scope if it is not taken before, and if the supervisor is killed: what it reads is
 * over then. Of more than 32, those that have waited longest are ended.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePrepare = (): (
  instance: InstanceName,
  cgroup: Cgroup | null
) => Effect.Effect<Prepared | null, never, Scope.Scope> => {
  const waiting = new Set<Shell>()
  return Effect.fnUntraced(function*(instance, cgroup) {
    const shell = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const [longest] = waiting
        if (longest !== undefined && waiting.size >= most) {
          longest.kill()
          waiting.delete(longest)
        }
        const shell = new Shell(instance, cgroup)
        waiting.add(shell)
        return shell
      }),
      (shell) => Effect.zipRight(Effect.sync(() => waiting.delete(shell)), shell.end)
    )
    // One whose cgroup is frozen says nothing.
    const isReady = yield* Effect.timeoutTo(Effect.interruptible(shell.greeted), {
      duration: "1 second",
      onSuccess: (isReady) => isReady,
      onTimeout: () => false
    })
    return isReady ? shell : null
  })
}
