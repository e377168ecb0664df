// What it costs to go through a proxy: tenement's gateway beside nginx, HAProxy and Caddy, to one and the same Unix socket.
//
//     npm run bench:gateway
//     npm run bench:gateway -- --rounds 9 --seconds 3 --upstream node
//
// The service is nginx with an answer that it has in its configuration: nothing answers more cheaply, so what is left is
// the proxies' own. `--upstream node` takes a small Node server, which is closer to what people have behind a proxy. A
// round asks every candidate once, in turn, so that what else the machine does falls on all of them alike; the medians are
// told. All use as many threads as they like, and keep their connections to the service open, but for nginx as it is written in
// most files: `proxy_pass` alone, with a new connection for each request. `wrk` asks (`apt-get install wrk`); a peer that is
// not installed is named and left out.
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "2" },
    connections: { type: "string", default: "32" },
    upstream: { type: "string", default: "nginx" }
  }
})
const rounds = Number(values.rounds)

const isInstalled = (program) => spawnSync("which", [program]).status === 0
if (!isInstalled("wrk")) throw new Error("wrk is missing: apt-get install wrk")

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-bench-"))
const file = (name, content) => {
  fs.writeFileSync(path.join(folder, name), content)
  return path.join(folder, name)
}

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/** The public path of the service: a link to the socket of the run that serves. */
const socket = path.join(folder, "web.sock")
const direct = await freePort()

const nginx = (name, http, workers) =>
  file(
    `${name}.conf`,
    `daemon off; worker_processes ${workers}; pid ${folder}/${name}.pid; error_log ${folder}/${name}.log;
user root; worker_rlimit_nofile 8192;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; ${http} }\n`
  )

const services = {
  nginx: () => {
    const server = `server { listen unix:SOCKET; listen 127.0.0.1:${direct}; location / { return 200 "hello"; } }`
    const template = nginx("service", server, 1)
    return file(
      "service.sh",
      `sed "s#SOCKET#$SOCKET_PATH#" ${template} > ${template}.own\nexec nginx -p ${folder} -c ${template}.own\n`
    )
  },
  node: () => {
    const server = file(
      "service.cjs",
      `const server = () => require("node:http").createServer((_, response) => response.end("hello"))
server().listen(process.env.SOCKET_PATH)
server().listen(${direct}, "127.0.0.1")\n`
    )
    return file("service.sh", `exec ${process.execPath} ${server}\n`)
  }
}

const nginxAsPeer = (name, upstream, location) => (port) => {
  const server = `server { listen 127.0.0.1:${port}; location / { ${location} } }`
  return ["nginx", "-p", folder, "-c", nginx(name, `${upstream} ${server}`, "auto")]
}

const peers = {
  "nginx, plain proxy_pass": nginxAsPeer("plain", "", `proxy_pass http://unix:${socket}:;`),
  "nginx, tuned": nginxAsPeer(
    "tuned",
    `upstream service { server unix:${socket}; keepalive 128; keepalive_requests 1000000000; }`,
    `proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";`
  ),
  haproxy: (port) => [
    "haproxy",
    "-db",
    "-f",
    file(
      "haproxy.cfg",
      `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend service
backend service
  server service unix@${socket}\n`
    )
  ],
  caddy: (port) => [
    "caddy",
    "run",
    "--adapter",
    "caddyfile",
    "--config",
    file(
      "Caddyfile",
      `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://127.0.0.1:${port} {
  reverse_proxy unix/${socket} {
    transport http {
      keepalive_idle_conns 128
      keepalive_idle_conns_per_host 128
    }
  }
}\n`
    )
  ]
}

const answers = (port) =>
  new Promise((resolve) => {
    fetch(`http://127.0.0.1:${port}/`).then((response) => resolve(response.ok), () => resolve(false))
  })

const started = []
const start = async (name, port, [command, ...words]) => {
  const child = spawn(command, words, {
    env: { ...process.env, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
    stdio: ["ignore", "ignore", "inherit"]
  })
  const ended = new Promise((resolve) => child.once("exit", resolve))
  started.push({ child, ended })
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`${name} did not start`)
    await sleep(20)
  }
  return child
}

const milliseconds = (text) => {
  const [, number, unit] = /^([\d.]+)(us|ms|s)$/.exec(text)
  return Number(number) * { us: 0.001, ms: 1, s: 1000 }[unit]
}

const wrk = (port, connections) =>
  new Promise((resolve, reject) => {
    const words = ["-t1", `-c${connections}`, `-d${values.seconds}s`, "--latency", `http://127.0.0.1:${port}/`]
    const child = spawn("wrk", words, { stdio: ["ignore", "pipe", "inherit"] })
    let text = ""
    child.stdout.on("data", (chunk) => text += chunk)
    child.once("close", () => {
      const found = (pattern) => pattern.exec(text)?.[1]
      const failed = /Non-2xx.*|Socket errors.*/.exec(text)
      if (failed !== null) return reject(new Error(`port ${port}: ${failed[0]}`))
      resolve({
        rate: Number(found(/Requests\/sec:\s+([\d.]+)/)),
        p50: milliseconds(found(/^\s+50%\s+(\S+)/m)),
        p99: milliseconds(found(/^\s+99%\s+(\S+)/m))
      })
    })
  })

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

/** Resident memory of a program and of all that it has started, in MiB. Of what is shared, each has its part. */
const memoryOf = (pid) => {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean)
  const own = Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024
  return children.reduce((sum, child) => sum + memoryOf(child), own)
}

const memoryOfSupervisor = (pid) =>
  Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024

/** Requests, and what they take: at many connections, and at a single one. */
const throughput = async (candidates) => {
  const found = candidates.map(({ name }) => ({ name, many: [], one: [] }))
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { port }] of candidates.entries()) {
      const many = await wrk(port, Number(values.connections))
      const one = await wrk(port, 1)
      // The first round warms everybody up.
      if (round === 0) continue
      found[index].many.push(many)
      found[index].one.push(one)
    }
  }
  const figures = found.map(({ many, name, one }) => ({
    name,
    rate: median(many.map(({ rate }) => rate)),
    p50: median(many.map(({ p50 }) => p50)),
    p99: median(many.map(({ p99 }) => p99)),
    single: median(one.map(({ p50 }) => p50))
  }))
  const of = (name, { rate }) => {
    const other = figures.find((one) => one.name === name)
    return other === undefined ? "" : (rate / other.rate).toFixed(2)
  }
  const ms = (number) => `${number.toFixed(2)} ms`
  const rows = figures.map((one, index) => [
    one.name,
    one.rate.toFixed(0),
    of("nginx, tuned", one),
    of("nginx, plain proxy_pass", one),
    of("caddy", one),
    ms(one.p50),
    ms(one.p99),
    index === 0 ? ms(one.single) : `${ms(one.single)} (+${ms(one.single - figures[0].single)})`,
    index === 0 ? "" : `${candidates[index].memory().toFixed(0)} MiB`
  ])
  const head = [
    "",
    "requests/s",
    "of nginx, tuned",
    "of nginx, plain",
    "of Caddy",
    "p50",
    "p99",
    "p50 at one connection",
    "memory (PSS)"
  ]
  for (const cells of [head, head.map(() => "---"), ...rows]) console.log(`| ${cells.join(" | ")} |`)
}

try {
  const listen = await freePort()
  const config = file(
    "tenement.toml",
    `[settings]
data_dir = "${folder}/state"
socket = "${folder}/control/tenement.sock"
listen = "127.0.0.1:${listen}"

[service.web]
command = "sh ${services[values.upstream]()}"
socket = "${socket}"
isolation = "process"
readiness = "socket"

[routing]
default = "web"\n`
  )
  const words = [process.execPath, path.join(root, "dist/tenement.js"), "serve", "--config", config]
  const tenement = await start("tenement", listen, words)
  const candidates = [
    { name: "direct, over TCP", port: direct },
    { name: "tenement", port: listen, memory: () => memoryOfSupervisor(tenement.pid) }
  ]
  for (const [name, words] of Object.entries(peers)) {
    const port = await freePort()
    const [program, ...rest] = words(port)
    if (!isInstalled(program)) {
      console.log(`skipped: ${program} is not installed (apt-get install ${program})`)
      continue
    }
    const child = await start(name, port, [program, ...rest])
    candidates.push({ name, port, memory: () => memoryOf(child.pid) })
  }
  console.log(
    `${values.connections} connections, median of ${rounds} rounds of ${values.seconds} s; the service is ${values.upstream}`
  )
  await throughput(candidates)
} finally {
  for (const { child, ended } of started) {
    child.kill()
    await ended
  }
  fs.rmSync(folder, { recursive: true, force: true })
}
