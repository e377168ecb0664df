// What each level of isolation costs: the same small Node server at each, in turn, in one run. Needs root, bubblewrap, runsc.
//
//     npm run bench:levels
//     npm run bench:levels -- --rounds 9 --seconds 2
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, seconds: { type: "string", default: "2" } }
})
const rounds = Number(values.rounds)
const connections = 16

const levels = {
  process: `isolation = "process"`,
  namespace: `isolation = "namespace"`,
  bubblewrap: `isolation = "sandbox"\nsandbox_runtime = "bubblewrap"`,
  gvisor: `isolation = "sandbox"\nsandbox_runtime = "gvisor"`
}

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-bench-"))
const control = path.join(folder, "control/tenement.sock")
const server = path.join(folder, "server.cjs")
fs.writeFileSync(
  server,
  `require("node:http").createServer((_, response) => response.end("hello")).listen(process.env.SOCKET_PATH)`
)
fs.writeFileSync(
  path.join(folder, "tenement.toml"),
  [
    `[settings]\ndata_dir = "${folder}/state"\nsocket = "${control}"\nlisten = "off"\n`,
    ...Object.entries(levels).map(([name, keys]) =>
      `[service.${name}]\ncommand = "node ${server}"\nreadiness = "socket"\nmemory_limit_mb = 500\n${keys}\n`
    )
  ].join("\n")
)

const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
const ask = (socketPath, url, method = "GET") =>
  new Promise((resolve, reject) => {
    http.request({ socketPath, path: url, method, agent }, async (response) => {
      let body = ""
      for await (const chunk of response) body += chunk
      if (response.statusCode < 400) resolve(body)
      else reject(new Error(`${method} ${url}: ${response.statusCode} ${body}`))
    }).once("error", reject).end()
  })

const view = async (name) => JSON.parse(await ask(control, `/api/instances/${name}:default`)).instance

const timed = async (work) => {
  const began = performance.now()
  await work()
  return performance.now() - began
}

const cgroupOf = (pid) => {
  try {
    return fs.readFileSync(`/proc/${pid}/cgroup`, "utf8")
  } catch {
    // It has ended since the folder was read.
    return undefined
  }
}

/** All processes of an instance: its program, and what isolation has put beside it. */
const members = (pid) => {
  const cgroup = cgroupOf(pid)
  return fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name) && cgroupOf(name) === cgroup)
}

const pss = (pid) => Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024

const load = async (socketPath) => {
  const end = performance.now() + Number(values.seconds) * 1000
  let done = 0
  await Promise.all(Array.from({ length: connections }, async () => {
    for (; performance.now() < end; done++) await ask(socketPath, "/")
  }))
  return done / Number(values.seconds)
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

const supervisor = spawn(
  process.execPath,
  [path.join(root, "dist/tenement.js"), "serve", "--config", `${folder}/tenement.toml`],
  { stdio: ["ignore", "ignore", "inherit"] }
)
try {
  const names = Object.keys(levels)
  for (const name of names) {
    while ((await view(name).catch(() => ({}))).state !== "running") {
      if (supervisor.exitCode !== null) throw new Error("the supervisor did not start")
      await sleep(20)
    }
  }
  const found = Object.fromEntries(names.map((name) => [name, { start: [], stop: [], rate: [] }]))
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      found[name].stop.push(await timed(() => ask(control, `/api/instances/${name}:default/stop`, "POST")))
      found[name].start.push(await timed(() => ask(control, `/api/instances/${name}:default/start`, "POST")))
    }
  }
  // The first turn warms up both sides, and is not counted.
  for (let round = 0; round < 6; round++) {
    for (const name of names) {
      const rate = await load((await view(name)).socket)
      if (round > 0) found[name].rate.push(rate)
    }
  }
  const rows = []
  for (const name of names) {
    const { rate, start, stop } = found[name]
    const all = members((await view(name)).pid)
    const memory = all.map(pss).reduce((sum, mib) => sum + mib, 0)
    rows.push([
      name,
      `${median(start).toFixed(0)} ms`,
      `${median(stop).toFixed(0)} ms`,
      `${memory.toFixed(0)} MiB`,
      String(all.length - 1),
      `${median(rate).toFixed(0)} (${(median(rate) / median(found.process.rate)).toFixed(2)})`
    ])
  }
  const head = ["level", "start to ready", "stop", "memory (PSS)", "processes beside it", "requests/s (of `process`)"]
  for (const cells of [head, head.map(() => "---"), ...rows]) console.log(`| ${cells.join(" | ")} |`)
} finally {
  agent.destroy()
  supervisor.kill()
  await new Promise((resolve) => supervisor.once("exit", resolve))
  fs.rmSync(folder, { recursive: true, force: true })
}
