/** A real nginx with a file that somebody printed, in a folder of its own, on a free port of loopback. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { eventually } from "./Eventually.ts"

export const program = "/usr/sbin/nginx"

/** A port that nobody has at the moment. */
export const freePort: Effect.Effect<number> = Effect.async((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** The least that a printed file has to stand in. */
const around = (inside: string): string => `
daemon off;
pid nginx.pid;
error_log stderr notice;
events {}
http {
  access_log off_site.log;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ${inside}
}
`

const folder = (inside: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const prefix = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-nginx-"))
      fs.chmodSync(prefix, 0o755)
      fs.writeFileSync(path.join(prefix, "nginx.conf"), around(inside))
      return prefix
    }),
    (prefix) => Effect.sync(() => fs.rmSync(prefix, { recursive: true, force: true }))
  )

const words = (prefix: string) => ["-e", "stderr", "-p", prefix, "-c", "nginx.conf"]

/** What `nginx -t` says of a file; empty if it is content. */
export const objections = (inside: string): Effect.Effect<string> =>
  Effect.scoped(Effect.map(folder(inside), (prefix) => {
    const { status, stderr } = spawnSync(program, ["-t", ...words(prefix)], { encoding: "utf8" })
    return status === 0 && !/\[(warn|error|emerg)\]/.test(stderr) ? "" : stderr
  }))

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
  })

/** Runs until the scope closes. */
export const serve = (inside: string): Effect.Effect<{ readonly prefix: string }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const prefix = yield* folder(inside)
    let said = ""
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(program, words(prefix), { stdio: ["ignore", "ignore", "pipe"] })),
      ended
    )
    child.stderr.on("data", (chunk: Buffer) => said += chunk.toString("utf8"))
    yield* eventually(
      "nginx serves",
      Effect.sync(() => ({ said, isOver: child.exitCode })),
      ({ isOver, said }) => isOver !== null || said.includes("start worker process ")
    )
    return { prefix }
  })
