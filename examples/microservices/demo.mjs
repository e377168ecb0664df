// Starts the five services under tenement, uses each of them, kills one and shows it come back.
//
//     npm run demo              runs and ends by itself
//     npm run demo -- --stay    goes on until Ctrl-C
//
// It needs no root, and writes to a temporary folder and to /tmp/{api,worker,webhook,sync,jobs}.sock alone.
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const here = path.dirname(fileURLToPath(import.meta.url))
const root = path.resolve(here, "../..")
const tenement = path.join(root, "dist/tenement.js")
const services = ["api", "worker", "webhook", "sync", "jobs"]
const socketOf = (service) => `/tmp/${service}.sock`
const stay = process.argv.includes("--stay")

const bold = (text) => process.stdout.isTTY && !process.env.NO_COLOR ? `\u001b[1m${text}\u001b[0m` : text
const say = (text) => console.log(`\n${bold(text)}`)

class Failed extends Error {}
const check = (condition, message) => {
  if (!condition) throw new Failed(message)
}

// Ctrl-C ends the story where it is.
let stopping = false
const goOn = () => check(!stopping, "interrupted")

const ask = (socketPath, method, url, body) =>
  new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path: url, timeout: 5000 }, async (response) => {
      const chunks = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString("utf8").trim() })
    })
    request.once("timeout", () => request.destroy(new Error("no answer within 5 s")))
    request.once("error", (error) => reject(new Failed(`${method} ${url} over ${socketPath}: ${error.message}`)))
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })

const connects = (where) =>
  new Promise((resolve) => {
    const socket = net.connect(where)
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })

const alive = (pid) => {
  try {
    return fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1][0] !== "Z"
  } catch {
    return false
  }
}

const until = async (what, seconds, test) => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(100)) {
    const value = await test()
    if (value) return value
  }
  throw new Failed(`${what}: not within ${seconds} s`)
}

// --- before anything is started -------------------------------------------------------------------------------------

const prepare = async () => {
  check(process.platform === "linux", "tenement runs on Linux")
  check(
    spawnSync("python3", ["--version"]).status === 0,
    "two of the services are Python programs, and there is no python3 here: install the package python3 (apt-get install python3)"
  )
  for (const service of services) {
    const busy = await connects({ path: socketOf(service) })
    check(!busy, `something listens on ${socketOf(service)} already: end it first (perhaps a demo left with --stay?)`)
  }
  if (!fs.existsSync(tenement)) {
    say("Building tenement (once)")
    const build = spawnSync(process.execPath, ["scripts/build.mjs"], { cwd: root, stdio: "inherit" })
    check(build.status === 0, "the build failed; did you run `npm install`?")
  }

  // A copy, as a deployment makes one: services, file, and everything the run writes are in one temporary folder.
  const app = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-demo-"))
  fs.chmodSync(app, 0o755)
  fs.cpSync(path.join(here, "services"), path.join(app, "services"), { recursive: true })
  fs.mkdirSync(path.join(app, "bin"))
  fs.symlinkSync(tenement, path.join(app, "bin/tenement"))
  const port = await connects({ host: "127.0.0.1", port: 8000 }) ? await freePort() : 8000
  const file = fs.readFileSync(path.join(here, "tenement.toml"), "utf8").replace("127.0.0.1:8000", `127.0.0.1:${port}`)
  fs.writeFileSync(path.join(app, "tenement.toml"), file)
  return { app, port, socket: path.join(app, "tenement/tenement.sock"), log: path.join(app, "serve.log") }
}

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

// --- the supervisor and its command line ----------------------------------------------------------------------------

const environment = ({ app, socket }) => ({
  ...process.env,
  TENEMENT_CONFIG: path.join(app, "tenement.toml"),
  TENEMENT_SOCKET: socket
})

const serve = (demo) => {
  const log = fs.openSync(demo.log, "w")
  // In a process group of its own: Ctrl-C reaches this program alone, which then stops the supervisor in order.
  const child = spawn(process.execPath, [tenement, "serve"], {
    cwd: demo.app,
    env: environment(demo),
    detached: true,
    stdio: ["ignore", log, log]
  })
  fs.closeSync(log)
  const exited = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)))
  return { child, exited }
}

const run = (demo, ...args) => {
  goOn()
  console.log(`$ tenement ${args.join(" ")}`)
  const done = spawnSync(process.execPath, [tenement, ...args], {
    cwd: demo.app,
    env: environment(demo),
    stdio: "inherit"
  })
  check(done.status === 0, `\`tenement ${args.join(" ")}\` ended with ${done.status ?? done.signal}`)
}

const instances = async (demo) => JSON.parse((await ask(demo.socket, "GET", "/api/instances")).text)

const allHealthy = async (demo, supervisor) => {
  check(supervisor.child.exitCode === null, "the supervisor ended at once")
  if (!fs.existsSync(demo.socket)) return false
  const list = await instances(demo)
  return list.length === services.length && list.every(({ state }) => state === "healthy") ? list : false
}

// --- the story ------------------------------------------------------------------------------------------------------

const request = async (service, method, url, body) => {
  goOn()
  const { status, text } = await ask(socketOf(service), method, url, body)
  console.log(`${socketOf(service).padEnd(18)} ${`${method} ${url}`.padEnd(23)} → ${status} ${text}`)
  check(status === 200, `${service} answered ${status}`)
  return JSON.parse(text)
}

const tour = async (demo) => {
  say("A request through each service, over its own socket")
  await request("api", "POST", "/api/orders", { item: "tea" })
  await request("api", "POST", "/api/orders", { item: "milk" })
  await request("webhook", "POST", "/webhooks/payment", { order: 1 })
  await request("worker", "GET", "/jobs/totals")
  await request("sync", "GET", "/sync/")
  await request("jobs", "GET", "/last")

  const before = (await instances(demo)).find(({ name }) => name === "api:default")
  goOn()
  say(`Kill the API: kill -9 ${before.pid}`)
  process.kill(before.pid, "SIGKILL")
  const after = await until("api:default is back", 20, async () => {
    const now = (await instances(demo)).find(({ name }) => name === "api:default")
    return now.state === "healthy" && now.pid !== before.pid ? now : false
  })
  console.log(`It is back, as process ${after.pid}. tenement says why:\n`)
  run(demo, "why", "api:default")
  console.log()
  const orders = await request("api", "GET", "/api/orders")
  check(orders.length === 2 && orders[0].paid, "the API lost an order")
}

const end = async (demo, supervisor) => {
  const pids = await instances(demo).then((list) => list.flatMap(({ pid }) => pid ?? []), () => [])
  supervisor.child.kill("SIGTERM")
  const code = await Promise.race([supervisor.exited, sleep(30_000, "nothing", { ref: false })])
  if (code === "nothing") supervisor.child.kill("SIGKILL")
  check(code === 0, `the supervisor ended with ${code}`)
  for (const pid of pids) check(!alive(pid), `process ${pid} outlived the supervisor`)
  for (const service of services) {
    check(!fs.lstatSync(socketOf(service), { throwIfNoEntry: false }), `${socketOf(service)} was left behind`)
  }
}

const main = async () => {
  const demo = await prepare()
  const interrupted = new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        stopping = true
        resolve("interrupted")
      })
    }
  })
  const supervisor = serve(demo)
  let failure
  try {
    const story = async () => {
      say("tenement serve: five services from one file")
      await until("all five services are healthy", 60, () => allHealthy(demo, supervisor))
      run(demo, "ps")
      console.log()
      run(demo, "tree")
      if (!stay) return tour(demo)
      say("Running until Ctrl-C. In another terminal:")
      console.log(`export TENEMENT_SOCKET=${demo.socket} PATH=${demo.app}/bin:$PATH
tenement ps
tenement logs -f
curl --unix-socket /tmp/api.sock http://localhost/api/orders
curl -s http://localhost:${demo.port}/metrics | grep tenement_instance
APP=${demo.app} ${path.join(here, "deploy.sh")}`)
      await Promise.race([interrupted, supervisor.exited])
      check(supervisor.child.exitCode === null, "the supervisor ended by itself")
    }
    const outcome = await Promise.race([story(), interrupted])
    if (outcome === "interrupted" && !stay) process.exitCode = 130
  } catch (error) {
    failure = error
  }
  say("SIGTERM to the supervisor: it stops everything in order")
  await end(demo, supervisor).catch((error) => failure ??= error)
  if (failure === undefined) {
    fs.rmSync(demo.app, { recursive: true })
    console.log("No process, no socket and no file is left.")
    return
  }
  const log = fs.readFileSync(demo.log, "utf8").trim().split("\n").slice(-20).join("\n")
  throw new Failed(`${failure.message}\n\nThe supervisor's last lines (all of them: ${demo.log}):\n${log}`)
}

main().catch((error) => {
  console.error(`\nThe demo failed: ${error instanceof Failed ? error.message : error.stack}`)
  process.exitCode = 1
})
