// How light the program is: a short command and an idle supervisor, each beside bare Node in the same run.
//
//     npm run bench
//     npm run bench -- --rounds 31
//
// A round runs every candidate once, in turn, so that what else the machine does falls on all of them alike.
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({ options: { rounds: { type: "string", default: "15" } } })
const rounds = Number(values.rounds)

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const tenement = path.join(root, "dist/tenement.js")
const instances = 10

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-bench-"))
const config = path.join(folder, "tenement.toml")
const socket = path.join(folder, "control.sock")
const port = await new Promise((resolve) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})
const empty = path.join(folder, "empty.cjs")
fs.writeFileSync(empty, "")
fs.writeFileSync(
  config,
  [
    `[settings]\ndata_dir = "${folder}/state"\nsocket = "${socket}"\nlisten = "127.0.0.1:${port}"\n`,
    ...Array.from(
      { length: instances },
      (_, n) => `[service.s${n}]\ncommand = "sleep 1000000"\nisolation = "process"\n`
    )
  ].join("\n")
)

const environment = { ...process.env, TENEMENT_CONFIG: config, TENEMENT_SOCKET: socket }

const memoryOf = (pid) => {
  const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")
  const mib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(rollup)[1]) / 1024
  return { rss: mib("Rss"), pss: mib("Pss"), own: mib("Private_Clean") + mib("Private_Dirty") }
}

const connects = () =>
  new Promise((resolve) => {
    const connection = net.connect(socket)
    connection.once("connect", () => resolve(true)).once("error", () => resolve(false))
    connection.once("connect", () => connection.destroy())
  })

const ended = (child) => new Promise((resolve) => child.once("exit", resolve))

const startDaemon = async () => {
  const started = performance.now()
  const child = spawn(process.execPath, [tenement, "serve", "--config", config], {
    env: environment,
    stdio: "ignore"
  })
  while (!(await connects())) {
    if (child.exitCode !== null) throw new Error("the supervisor did not start")
    await sleep(2)
  }
  return { child, ready: performance.now() - started }
}

const once = (words) => {
  const started = performance.now()
  const { status, stderr } = spawnSync(process.execPath, words, { env: environment, encoding: "utf8" })
  if (status !== 0) throw new Error(`${words.join(" ")}: ${stderr}`)
  return performance.now() - started
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const ms = (numbers) => `${median(numbers).toFixed(0).padStart(6)} ms (${Math.min(...numbers).toFixed(0)})`
const mb = (number) => `${number.toFixed(1)} MiB`

const bare = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000000)"], { stdio: "ignore" })
let daemon
try {
  const commands = {
    "node empty.cjs": [empty],
    "tenement --version": [tenement, "--version"],
    "tenement ps": [tenement, "ps"],
    "tenement ps, nothing cached": [path.join(root, "dist/cli.cjs"), "ps"]
  }
  daemon = await startDaemon()
  await sleep(3000)
  if (daemon.child.exitCode !== null) throw new Error("the supervisor did not stay")
  const [own, peer] = [memoryOf(daemon.child.pid), memoryOf(bare.pid)]

  const taken = Object.fromEntries(Object.keys(commands).map((name) => [name, []]))
  for (const words of Object.values(commands)) once(words)
  for (let round = 0; round < rounds; round++) {
    for (const [name, words] of Object.entries(commands)) taken[name].push(once(words))
  }

  console.log(`commands, median (best) of ${rounds}`)
  for (const [name, numbers] of Object.entries(taken)) console.log(`  ${name.padEnd(30)} ${ms(numbers)}`)
  console.log(`the supervisor, idle, with ${instances} instances`)
  console.log(`  ready after ${daemon.ready.toFixed(0)} ms`)
  console.log(`  RSS ${mb(own.rss)}, PSS ${mb(own.pss)}, its own ${mb(own.own)}`)
  console.log(`  bare Node: RSS ${mb(peer.rss)}, PSS ${mb(peer.pss)}, its own ${mb(peer.own)}`)
} finally {
  bare.kill()
  if (daemon !== undefined && daemon.child.exitCode === null) {
    daemon.child.kill()
    await ended(daemon.child)
  }
  fs.rmSync(folder, { recursive: true, force: true })
}
