/** At which calls a supervisor is killed. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as readline from "node:readline"
import { eventually } from "./Eventually.ts"
import * as Proc from "./Proc.ts"

/** What the supervisor asks of the kernel when it changes something, by what it is for. */
export const calls = {
  mkdir: "?mkdir,?mkdirat",
  open: "?open,openat",
  write: "write,pwrite64,writev",
  rename: "?rename,?renameat,?renameat2",
  link: "?symlink,?symlinkat,?link,?linkat",
  start: "?fork,?vfork,clone,?clone3",
  kill: "kill,?pidfd_send_signal",
  unlink: "?unlink,unlinkat",
  rmdir: "?rmdir",
  connect: "connect"
}

export const sync = "fsync,fdatasync"

/** What has strace kill at the `count`-th of these calls. */
export const words = (names: string, count: number): ReadonlyArray<string> => [
  "-q",
  "-e",
  `trace=${names}`,
  "-e",
  `inject=${names}:signal=KILL:when=${count}`
]

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/**
 * All of them take hours; so by default a few of each. `TENEMENT_KILL_POINTS=all`, or some of them as `200-400`,
 * is how the figures in the docs came about.
 */
export const orSome = (few: ReadonlyArray<number>): ReadonlyArray<number> => {
  const asked = process.env["TENEMENT_KILL_POINTS"] ?? ""
  if (asked === "all") return range(1, 100_000)
  const [, first, last] = /^(\d+)-(\d+)$/.exec(asked) ?? []
  return first === undefined ? few : range(Number(first), Number(last))
}

/** Kills the supervisor at its `count`-th call of a kind from now on; done once that is armed. */
export const arm = (pid: number, names: string, count: number, output = "/dev/null") =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof spawn>>((resume) => {
      // Of all its threads: what waits for the disk is not the main one.
      const threads = names === sync ? ["-f"] : []
      const tracer = spawn("strace", [...threads, ...words(names, count), "-o", output, "-p", String(pid)], {
        stdio: ["ignore", "ignore", "pipe"]
      })
      // It is quiet about having attached; the kernel is not.
      readline.createInterface({ input: tracer.stderr }).on("line", (line) => process.stderr.write(`${line}\n`))
      resume(
        Effect.as(
          eventually(
            "it is traced",
            Effect.sync(() => Proc.status(pid, "TracerPid")),
            (tracer) => tracer !== "0"
          ),
          tracer
        )
      )
    }),
    (tracer) =>
      Effect.async<void>((resume) => {
        if (tracer.exitCode !== null || tracer.signalCode !== null) return resume(Effect.void)
        tracer.once("exit", () => resume(Effect.void))
        // The kernel lets go of what it traces.
        tracer.kill("SIGKILL")
      })
  )
