// Failed requests during rolling restarts, under load at full speed, through the gateway and through nginx on the public
// path at once. Needs nginx and wrk.
//
//     npm run bench:rolling
//     npm run bench:rolling -- --restarts 50
import { execFile, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"

const { values } = parseArgs({ options: { restarts: { type: "string", default: "50" } } })
const restarts = Number(values.restarts)

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-bench-"))
fs.chmodSync(folder, 0o755)
const control = `${folder}/control/tenement.sock`
const server = `${folder}/server.cjs`
fs.writeFileSync(
  server,
  `require("node:http").createServer((_, response) => response.end("hello")).listen(process.env.SOCKET_PATH)`
)

const freePort = () =>
  new Promise((resolve) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
const ports = { gateway: await freePort(), nginx: await freePort() }

fs.writeFileSync(
  `${folder}/tenement.toml`,
  `[settings]
data_dir = "${folder}/state"
socket = "${control}"
listen = "127.0.0.1:${ports.gateway}"
domain = "bench.test"

[service.web]
command = "node ${server}"
socket = "${folder}/web.sock"
isolation = "process"
restart_mode = "rolling"
`
)
fs.writeFileSync(
  `${folder}/nginx.conf`,
  `daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log warn;
worker_processes 1;
${process.getuid() === 0 ? "user root;" : ""}
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream web { server unix:${folder}/web.sock; }
  server { listen 127.0.0.1:${ports.nginx}; location / { proxy_pass http://web; } }
}
`
)

const ask = (url, method = "GET") =>
  new Promise((resolve, reject) => {
    http.request({ socketPath: control, path: url, method }, (response) => {
      response.resume()
      response.once("end", () => resolve(response.statusCode))
    }).once("error", reject).end()
  })

const until = async (what, holds) => {
  for (let left = 400; left > 0; left--) {
    if (await holds().catch(() => false)) return
    await sleep(50)
  }
  throw new Error(`not ${what}`)
}

/** Requests, and how many of them failed, while `work` is done. */
const load = (port, seconds) =>
  promisify(execFile)("wrk", [
    "-t1",
    "-c16",
    `-d${seconds}s`,
    "-H",
    "Host: web.bench.test",
    `http://127.0.0.1:${port}/`
  ])
    .then(({ stdout }) => ({
      requests: Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0),
      failed: Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0) +
        [...(/Socket errors: (.*)/.exec(stdout)?.[1] ?? "").matchAll(/\d+/g)].reduce((sum, [n]) => sum + Number(n), 0)
    }))

const daemon = spawn(process.execPath, [`${root}/dist/tenement.js`, "serve", "-c", `${folder}/tenement.toml`], {
  stdio: ["ignore", "ignore", "inherit"]
})
const nginx = spawn("nginx", ["-p", folder, "-c", `${folder}/nginx.conf`, "-e", `${folder}/nginx.log`], {
  stdio: ["ignore", "ignore", "inherit"]
})
try {
  await until(
    "up",
    async () => (await ask("/api/instances/web:default")) === 200 && fs.existsSync(`${folder}/web.sock`)
  )
  await until("served", () => fetch(`http://127.0.0.1:${ports.nginx}/`).then(({ ok }) => ok))
  const begun = performance.now()
  await ask("/api/instances/web:default/restart", "POST")
  // A restart takes longer under load than the first did.
  const seconds = Math.ceil(4 * restarts * (performance.now() - begun) / 1000) + 5
  const loads = Promise.all([load(ports.gateway, seconds), load(ports.nginx, seconds)])
  let done = 0
  const over = performance.now() + seconds * 1000
  while (done < restarts && performance.now() < over) {
    if ((await ask("/api/instances/web:default/restart", "POST")) !== 200) throw new Error("a restart failed")
    done++
  }
  const [gateway, behind] = await loads
  console.log(`${done} rolling restarts under load`)
  console.log(`gateway: ${gateway.requests} requests, ${gateway.failed} failed`)
  console.log(`nginx:   ${behind.requests} requests, ${behind.failed} failed`)
} finally {
  nginx.kill("SIGQUIT")
  daemon.kill("SIGTERM")
  await new Promise((resolve) => daemon.exitCode === null ? daemon.once("exit", resolve) : resolve())
  fs.rmSync(folder, { recursive: true, force: true })
}
