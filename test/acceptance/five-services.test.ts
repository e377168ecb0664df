import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as Path from "node:path"
import { eventually } from "./Eventually.ts"
import type { InstanceView } from "./Machine.ts"
import { rootWith } from "./Requirement.ts"
import * as Site from "./Site.ts"

const file = fs.readFileSync(Path.resolve(import.meta.dirname, "../fixtures/five-services.toml"), "utf8")

const { isSkipped, told } = rootWith("runsc")

/** Answers with the name of its service and the release of the kernel that it runs on. */
const javascript = `
const http = require("node:http"), os = require("node:os")
http.createServer((request, response) => response.end(process.env.SERVICE_NAME + " on " + os.release()))
  .listen(process.env.SOCKET_PATH)
`

/** Answers likewise; but for its health, with what the API says, asked as the plainest of clients would. */
const python = `
import os, socket
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

def call_api(endpoint):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect("/tmp/api.sock")
    request = f"GET {endpoint} HTTP/1.1\\r\\nHost: api\\r\\n\\r\\n"
    sock.sendall(request.encode())
    response = sock.recv(4096).decode()
    sock.close()
    return response

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = call_api("/") if self.path == "/api" else f"{os.environ['SERVICE_NAME']} on {os.uname().release}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())
    def address_string(self):
        return "unix"

class Server(ThreadingMixIn, UnixStreamServer):
    pass

Server(os.environ["SOCKET_PATH"], Handler).serve_forever()
`

const programs = {
  "dist/api": `#!/usr/bin/env node\n${javascript}`,
  "dist/worker": `#!/usr/bin/env python3\n${python}`,
  "dist/webhook": `#!/usr/bin/env node\n${javascript}`,
  "sync.ts": javascript,
  "jobs.py": python,
  // What the file asks for and not every machine has, by way of what it has.
  "bin/deno": `#!/bin/sh\nexec node --input-type=commonjs -e "$(cat "$2")"\n`,
  "bin/python": `#!/bin/sh\nexec python3 "$@"\n`
}

const get = `require("node:http").get({ socketPath: process.argv[1], path: process.argv[2] }, (response) =>
  response.on("data", (chunk) => process.stdout.write(chunk)))`

/** The places that the file names are the machine's, so the supervisor gets its own of them; the program may be in one. */
const elsewhere = [
  "unshare",
  "--mount",
  "sh",
  "-ec",
  `
    program=$(dirname "$1")
    mount --bind "$PWD" /mnt
    mount --bind "$program" /media
    cd /mnt
    for place in /tmp /var/lib /run; do mount -t tmpfs -o mode=1777 none $place; done
    mkdir -p "$program"
    mount --bind /media "$program"
    exec "$0" "$@"
  `
]

const limits = {
  api: { memory: 512, weight: 200 },
  worker: { memory: 256, weight: 100 },
  webhook: { memory: 256, weight: 100 },
  sync: { memory: 128, weight: 50 },
  jobs: { memory: 256, weight: 100 }
}

/** Of the cgroups of a process, the one that has this file, by either version. */
const limitOf = (pid: number, ...names: ReadonlyArray<string>): string => {
  for (const line of fs.readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n")) {
    const [, controllers = "", path] = line.split(":")
    for (const mount of [controllers, "unified", "."]) {
      for (const name of names) {
        const found = `/sys/fs/cgroup/${mount}${path}/${name}`
        if (fs.existsSync(found)) return fs.readFileSync(found, "utf8").trim()
      }
    }
  }
  return "none"
}

describe("five services on one machine", () => {
  it.scopedLive.skipIf(isSkipped)(
    `run as their file says: isolated, limited, healthy, and within reach${told}`,
    () =>
      Effect.gen(function*() {
        const site = yield* Site.make(file)
        for (const [name, text] of Object.entries(programs)) {
          fs.mkdirSync(Path.dirname(`${site.root}/${name}`), { recursive: true })
          fs.writeFileSync(`${site.root}/${name}`, text, { mode: 0o755 })
        }
        const env = {
          TENEMENT_CONFIG: "/mnt/tenement.toml",
          TENEMENT_SOCKET: "",
          PATH: `/mnt/bin:${process.env["PATH"]}`
        }
        const supervisor = yield* site.run(["serve"], { env, via: elsewhere })
        const inside = ["nsenter", "--mount", "-t", String(supervisor.pid)]
        const list = Effect.map(
          site.cliWith({ env, via: inside }, "ps", "--json"),
          ({ code, stdout }) => code === 0 ? JSON.parse(stdout) as ReadonlyArray<InstanceView> : []
        )
        const all = yield* eventually("all are healthy", list, (views) =>
          views.length === 5 && views.every(({ state }) =>
            state === "healthy"
          ))

        const ask = (name: string, path: string) =>
          Effect.map(
            site.cliWith({ env, via: [...inside, "sh", "-c", `exec "$0" -e '${get}' /tmp/${name}.sock ${path}`] }),
            ({ stdout }) => stdout
          )
        for (const name of ["api", "worker", "webhook", "jobs"]) {
          assert.strictEqual(yield* ask(name, "/"), `${name} on ${os.release()}`)
        }
        const [said, release] = (yield* ask("sync", "/")).split(" on ")
        assert.strictEqual(said, "sync")
        assert.notStrictEqual(release, os.release(), "gVisor's kernel")
        for (const name of ["worker", "jobs"]) assert.include(yield* ask(name, "/api"), `api on ${os.release()}`)

        for (const { pid, service } of all) {
          const { memory, weight } = limits[service as keyof typeof limits]
          assert.strictEqual(limitOf(pid!, "memory.max", "memory.limit_in_bytes"), String(memory * 2 ** 20))
          assert.include([weight, Math.round(weight * 10.24)], Number(limitOf(pid!, "cpu.weight", "cpu.shares")))
        }

        const restarted = yield* site.cliWith({ env, via: inside }, "restart", "sync:default")
        assert.strictEqual(restarted.code, 0, restarted.stderr)
        yield* supervisor.signal("SIGTERM")
        assert.deepStrictEqual(yield* supervisor.exited, { code: 0, signal: null })
      })
  )
})
