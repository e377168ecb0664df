/** A folder of its own with a `tenement.toml`, and the built program run in it from the outside. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { stringify } from "smol-toml"
import * as Cgroup from "./Cgroup.ts"
import type * as Fx from "./Fx.ts"
import * as Proc from "./Proc.ts"

/** `TENEMENT_PROGRAM` names another build, or one that is installed. */
export const program = process.env["TENEMENT_PROGRAM"] ?? path.resolve(import.meta.dirname, "../../dist/tenement.js")

/** A `tenement.toml`, as tables or as it stands. */
export type File = string | {
  readonly settings?: Fx.Table
  readonly service?: Readonly<Record<string, Fx.Table>>
  readonly group?: Readonly<Record<string, Fx.Table>>
  readonly routing?: Fx.Table
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Finished extends Exit {
  readonly stdout: string
  readonly stderr: string
}

/** A program that runs for as long as its scope is open. */
export interface Running {
  readonly pid: number
  readonly exited: Effect.Effect<Exit>
  readonly stdout: Effect.Effect<string>
  readonly stderr: Effect.Effect<string>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

export interface RunOptions {
  /** Words put before the program's own: a shell that sets a limit and then becomes it. */
  readonly via?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  readonly user?: number
}

export interface Site {
  readonly root: string
  readonly file: string
  readonly dataDir: string
  /** The control socket. */
  readonly socket: string
  readonly write: (file: File) => Effect.Effect<void>
  /** Runs the program in the background. */
  readonly run: (args: ReadonlyArray<string>, options?: RunOptions) => Effect.Effect<Running, never, Scope.Scope>
  /** Runs the program to its end. */
  readonly cli: (...args: ReadonlyArray<string>) => Effect.Effect<Finished>
  readonly cliWith: (options: RunOptions, ...args: ReadonlyArray<string>) => Effect.Effect<Finished>
}

const render = (site: Pick<Site, "dataDir" | "socket">, file: File): string =>
  typeof file === "string" ? file : stringify({
    settings: { data_dir: site.dataDir, socket: site.socket, listen: "off", ...file.settings },
    ...(file.service === undefined ? {} : { service: file.service }),
    ...(file.group === undefined ? {} : { group: file.group }),
    ...(file.routing === undefined ? {} : { routing: file.routing })
  })

const exitOf = (child: ChildProcess): Effect.Effect<Deferred.Deferred<Exit>> =>
  Effect.gen(function*() {
    const exit = yield* Deferred.make<Exit>()
    const runtime = yield* Effect.runtime()
    child.once("close", (code, signal) => Runtime.runSync(runtime)(Deferred.succeed(exit, { code, signal })))
    return exit
  })

const killIfThere = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}

/** Ends what a test that failed has left behind: every process that has this folder among its arguments. */
const clear = (root: string) =>
  Effect.gen(function*() {
    for (const pid of Proc.withArgument(root)) killIfThere(pid, "SIGKILL")
    // The relay that a supervisor which was killed has left behind: it may be writing down what it knows.
    const claim = `${root}/data/.logs/relay`
    const relay = fs.existsSync(claim) ? Number.parseInt(fs.readFileSync(claim, "latin1")) : 0
    if (Proc.commandLine(relay).some((word) => word.startsWith("# tenement: "))) killIfThere(relay, "SIGKILL")
    yield* Cgroup.clear(`${root}/data`)
    fs.rmSync(root, { recursive: true, force: true, maxRetries: 5 })
  })

export const make = (file: File): Effect.Effect<Site, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (!fs.existsSync(program)) return yield* Effect.die(new Error(`${program} is missing: npm run build`))
    const root = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "tenement-"))),
      clear
    )
    const places = {
      root,
      file: `${root}/tenement.toml`,
      dataDir: `${root}/data`,
      socket: `${root}/tenement/tenement.sock`
    }
    // Services that run as another user write here too.
    fs.chmodSync(root, 0o755)
    for (const folder of ["truth", "answers"]) {
      fs.mkdirSync(`${root}/${folder}`)
      fs.chmodSync(`${root}/${folder}`, 0o777)
    }
    const write = (file: File) => Effect.sync(() => fs.writeFileSync(places.file, render(places, file)))
    yield* write(file)

    const run = (args: ReadonlyArray<string>, { env, user, via = [] }: RunOptions = {}) =>
      Effect.gen(function*() {
        const [command, ...words] = [...via, process.execPath, program, ...args]
        const child = yield* Effect.acquireRelease(
          Effect.sync(() =>
            spawn(command!, words, {
              cwd: root,
              env: {
                PATH: process.env["PATH"],
                HOME: root,
                NO_COLOR: "1",
                TENEMENT_CONFIG: places.file,
                TENEMENT_SOCKET: places.socket,
                ...env
              },
              stdio: ["ignore", "pipe", "pipe"],
              ...(user === undefined ? {} : { uid: user, gid: user })
            })
          ),
          (child) =>
            Effect.sync(() => {
              if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
            })
        )
        const exit = yield* exitOf(child)
        const output = { stdout: [] as Array<Buffer>, stderr: [] as Array<Buffer> }
        child.stdout.on("data", (chunk: Buffer) => output.stdout.push(chunk))
        child.stderr.on("data", (chunk: Buffer) => output.stderr.push(chunk))
        const text = (stream: "stdout" | "stderr") => Effect.sync(() => Buffer.concat(output[stream]).toString("utf8"))
        return {
          pid: child.pid!,
          exited: Deferred.await(exit),
          stdout: text("stdout"),
          stderr: text("stderr"),
          signal: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal))
        } satisfies Running
      })

    const cliWith = (options: RunOptions, ...args: ReadonlyArray<string>) =>
      Effect.scoped(
        Effect.gen(function*() {
          const running = yield* run(args, options)
          const exit = yield* running.exited
          return { ...exit, stdout: yield* running.stdout, stderr: yield* running.stderr }
        })
      )

    return { ...places, write, run, cliWith, cli: (...args) => cliWith({}, ...args) }
  })
