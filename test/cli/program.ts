/**
 * The command line as its users have it: a bundle that Node runs, and a server that answers as a supervisor would.
 */
import * as esbuild from "esbuild"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"

const root = Path.resolve(import.meta.dirname, "../..")

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Program {
  /** A folder of its own, in which everything runs. */
  readonly folder: string
  readonly socket: string
  readonly run: (...argv: ReadonlyArray<string>) => Promise<Result>
  /** Runs it through a shell; `$TENEMENT` is the program. */
  readonly shell: (script: string) => Promise<Result>
  /** Starts it; `seen` resolves when it has printed something, `told` when it has on stderr. */
  readonly start: (...argv: ReadonlyArray<string>) => {
    readonly seen: Promise<void>
    readonly told: Promise<void>
    readonly kill: (signal: NodeJS.Signals) => void
    readonly result: Promise<Result>
  }
  readonly dispose: () => void
}

export const build = async (): Promise<Program> => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-cli-"))
  const bundle = Path.join(folder, "cli.cjs")
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ["src/bin.ts"],
    outfile: bundle,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "__url" },
    banner: { js: `const __url = require("node:url").pathToFileURL(__filename).href` },
    external: ["*/daemon.ts"],
    logLevel: "error"
  })
  const socket = Path.join(folder, "control.sock")
  const env = {
    PATH: process.env["PATH"],
    HOME: folder,
    TENEMENT_SOCKET: socket,
    TENEMENT: `${process.execPath} ${bundle}`
  }

  const start = (command: string, argv: ReadonlyArray<string>) => {
    const child = spawn(command, argv, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] })
    let stdout = ""
    let stderr = ""
    const seen = new Promise<void>((resolve) => child.stdout.once("data", () => resolve()))
    const told = new Promise<void>((resolve) => child.stderr.once("data", () => resolve()))
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
    const result = new Promise<Result>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code) => resolve({ code, stdout, stderr }))
    })
    return { seen, told, result, kill: (signal: NodeJS.Signals) => void child.kill(signal) }
  }

  return {
    folder,
    socket,
    run: (...argv) => start(process.execPath, [bundle, ...argv]).result,
    shell: (script) => start("bash", ["-c", script]).result,
    start: (...argv) => start(process.execPath, [bundle, ...argv]),
    dispose: () => Fs.rmSync(folder, { recursive: true, force: true })
  }
}

type Answer = (response: Http.ServerResponse) => void

export const json = (value: unknown, status = 200): Answer => (response) => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))
}

export interface FakeSupervisor {
  /** What was asked, `GET /api/instances`. */
  readonly asked: Array<string>
  readonly close: () => Promise<void>
}

/** Answers by method and path; what it does not know is a 404. */
export const supervise = (socket: string, answers: Readonly<Record<string, Answer>>): Promise<FakeSupervisor> => {
  const asked: Array<string> = []
  const server = Http.createServer((request, response) => {
    const route = `${request.method ?? ""} ${decodeURIComponent((request.url ?? "").replace(/\?.*/, ""))}`
    asked.push(route)
    const answer = answers[route] ?? json({ _tag: "NoSuchRoute", message: "there is nothing at this path" }, 404)
    answer(response)
  })
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections()
      server.close(() => resolve())
    })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(socket, () => resolve({ asked, close }))
  })
}
