// What waking costs: from a request for an instance that sleeps to its answer, beside the program's own start.
//
//     npm run bench:wake
//     npm run bench:wake -- --rounds 31 --level namespace
//
// A round does both, one after the other. The least is what it costs; the median, what a busy machine makes of it. The
// program's first answer takes some milliseconds of its own, which are in the wake too; so its start is told with and without.
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const tenement = path.join(root, "dist/tenement.js")

const program = `
  const http = require("node:http")
  process.on("SIGTERM", () => process.exit(0))
  http.createServer((_, response) => response.end("ok"))
    .listen(process.env.SOCKET_PATH, () => process.stdout.write("up"))
`

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const connects = (socket) =>
  new Promise((resolve) => {
    const connection = net.connect(socket)
    connection.once("connect", () => resolve(true)).once("error", () => resolve(false))
    connection.once("connect", () => connection.destroy())
  })

const ended = (child) => new Promise((resolve) => child.once("exit", resolve))

const get = (to, target, host = "localhost") =>
  new Promise((resolve, reject) => {
    http.get({ ...to, path: target, headers: { host }, agent: false }, (response) => {
      let text = ""
      response.on("data", (chunk) => text += chunk)
      response.on("end", () => resolve({ status: response.statusCode, text }))
    }).on("error", reject)
  })

/**
 * From the program's start to the moment in which it says that its socket takes connections (to ask would slow it down), and to
 * its first answer.
 */
const ownStart = async (file, socket) => {
  fs.rmSync(socket, { force: true })
  const begun = performance.now()
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env.PATH, SOCKET_PATH: socket },
    stdio: ["ignore", "pipe", "ignore"]
  })
  await new Promise((resolve) => child.stdout.once("data", resolve))
  const own = performance.now() - begun
  const { status } = await get({ socketPath: socket }, "/")
  if (status !== 200) throw new Error(`the program answered ${status}`)
  const answered = performance.now() - begun
  const end = ended(child)
  child.kill("SIGTERM")
  await end
  return { own, answered }
}

/** Milliseconds of each round: the program's own start, its first answer, and a wake. */
export const measure = async ({ level = "process", rounds = 15 } = {}) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-bench-"))
  const file = path.join(folder, "program.cjs")
  const control = path.join(folder, "control", "tenement.sock")
  const port = await freePort()
  fs.writeFileSync(file, program)
  fs.writeFileSync(
    path.join(folder, "tenement.toml"),
    [
      `[settings]\ndata_dir = "${folder}/state"\nsocket = "${control}"\nlisten = "127.0.0.1:${port}"`,
      `[service.web]\ncommand = "${process.execPath} ${file}"\nisolation = "${level}"\nreadiness = "socket"`,
      `idle_timeout = "200 millis"\n`
    ].join("\n")
  )
  const supervisor = spawn(process.execPath, [tenement, "serve", "--config", path.join(folder, "tenement.toml")], {
    stdio: ["ignore", "ignore", "inherit"]
  })
  const asleep = async () => {
    while (true) {
      const { text } = await get({ socketPath: control }, "/api/instances/web:default")
      const { instance } = JSON.parse(text)
      if (instance.state === "sleeping") return
      if (instance.state === "failed") throw new Error(text)
      await sleep(20)
    }
  }
  const measured = []
  try {
    while (!(await connects(control))) await sleep(5)
    for (let round = 0; round < rounds; round++) {
      const alone = await ownStart(file, path.join(folder, "own.sock"))
      await asleep()
      // What is kept ready for the next start is made when it has fallen asleep, which was a moment ago.
      await sleep(100)
      const begun = performance.now()
      const { status, text } = await get({ host: "127.0.0.1", port }, "/", "web.localhost")
      if (status !== 200) throw new Error(text)
      measured.push({ ...alone, wake: performance.now() - begun })
    }
  } finally {
    const end = ended(supervisor)
    supervisor.kill("SIGTERM")
    await end
    fs.rmSync(folder, { recursive: true })
  }
  return measured
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "15" }, level: { type: "string", default: "process" } }
  })
  const measured = await measure({ level: values.level, rounds: Number(values.rounds) })
  const of = (name) => measured.map((round) => round[name]).sort((a, b) => a - b)
  const told = (name) => {
    const all = of(name)
    return `least ${all[0].toFixed(1)} ms, median ${all[all.length >> 1].toFixed(1)} ms`
  }
  const over = (name) => {
    const each = measured.map((round) => round.wake - round[name]).sort((a, b) => a - b)
    const least = of("wake")[0] - of(name)[0]
    return `${least.toFixed(1)} ms of the least, median ${each[each.length >> 1].toFixed(1)} ms`
  }
  console.log(`own start:    ${told("own")}\nfirst answer: ${told("answered")}\nwake:         ${told("wake")}`)
  console.log(`over the start: ${over("own")}\nover the first answer: ${over("answered")}`)
}
