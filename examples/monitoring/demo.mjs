// A supervisor, a Prometheus that reads its metrics, requests, and what the queries and the alerts say of them.
//
//     node examples/monitoring/demo.mjs            ends by itself, in about half a minute
//     node examples/monitoring/demo.mjs --stay     goes on until Ctrl-C, and prints where to look
//
// It needs `prometheus` (apt-get install --no-install-recommends prometheus) and writes to a temporary folder alone.
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const here = path.dirname(fileURLToPath(import.meta.url))
const tenement = path.resolve(here, "../../dist/tenement.js")
const stay = process.argv.includes("--stay")

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const get = (port, url, host = "localhost") =>
  new Promise((resolve, reject) => {
    http.get({ host: "127.0.0.1", port, path: url, headers: { host }, agent: false }, async (response) => {
      let text = ""
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode, text })
    }).once("error", reject)
  })

const running = []

/** A program whose output is kept; it is ended with this one. */
const start = (app, name, command, args) => {
  const log = fs.openSync(path.join(app, `${name}.log`), "w")
  const child = spawn(command, args, { cwd: app, detached: true, stdio: ["ignore", log, log] })
  fs.closeSync(log)
  const exited = new Promise((resolve) => child.once("exit", resolve).once("error", resolve))
  running.push({ child, exited })
  return { name, child, log: path.join(app, `${name}.log`) }
}

const until = async ({ child, log, name }, what, look) => {
  for (const end = performance.now() + 90_000; performance.now() < end && child.exitCode === null; await sleep(200)) {
    const found = await look().catch(() => false)
    if (found) return found
  }
  throw new Error(`${name}: ${what}: it did not come to that\n${fs.readFileSync(log, "utf8").slice(-2000)}`)
}

const queries = {
  "Running instances": "count(tenement_instance_uptime_seconds)",
  "Memory per service, in MB": "sum(tenement_instance_memory_mb) by (service)",
  "Requests per second and service": "sum(rate(tenement_requests_total[5m])) by (service)",
  "Requests that nobody answered, per second and service": "sum(rate(tenement_errors_total[5m])) by (service)"
}

const main = async () => {
  if (!fs.existsSync("/usr/bin/prometheus")) {
    throw new Error("there is no prometheus here: apt-get install --no-install-recommends prometheus")
  }
  if (!fs.existsSync(tenement)) throw new Error("tenement is not built: npm run build")
  const app = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-monitoring-"))
  const person = { isWaiting: true }
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => person.isWaiting = false)
  try {
    const [listen, web] = [await freePort(), await freePort()]
    const copy = (name, change = (text) => text) =>
      fs.writeFileSync(path.join(app, name), change(fs.readFileSync(path.join(here, name), "utf8")))
    copy("shop.mjs")
    copy("alerts.yml")
    copy("tenement.toml", (text) => text.replace("8000", listen))
    copy("prometheus.yml", (text) => text.replace("8000", listen).replaceAll("15s", "1s"))

    const supervisor = start(app, "tenement", process.execPath, [
      tenement,
      "serve",
      "--config",
      "tenement.toml",
      "--socket",
      path.join(app, "run/tenement.sock")
    ])
    const prometheus = start(app, "prometheus", "/usr/bin/prometheus", [
      "--config.file=prometheus.yml",
      "--storage.tsdb.path=prometheus",
      `--web.listen-address=127.0.0.1:${web}`
    ])
    await until(supervisor, "the shop answers", async () => (await get(listen, "/", "shop.localhost")).status < 501)
    await until(prometheus, "it is ready", async () => (await get(web, "/-/ready")).status === 200)
    console.log(`tenement serves on http://localhost:${listen}, Prometheus on http://localhost:${web}`)

    const ask = async (query) => JSON.parse((await get(web, `/api/v1/query?query=${encodeURIComponent(query)}`)).text)
    const answers = async () => {
      for (let turn = 0; turn < 10; turn++) await get(listen, "/", "shop.localhost")
      // Nobody is there to answer these.
      await get(listen, "/", "broken.localhost")
      const all = await Promise.all(Object.values(queries).map(ask))
      const [running, memory, requests, errors] = all
      const rises = ({ data }) => data.result.some(({ value }) => Number(value[1]) > 0)
      return [running, memory, requests, errors].every(rises) ? all : false
    }
    const all = await until(prometheus, "the queries have answers", answers)
    for (const [index, [what, query]] of Object.entries(queries).entries()) {
      console.log(`\n# ${what}\n${query}`)
      for (const { metric, value } of all[index].data.result) {
        console.log(`  ${metric.service ?? "all"}: ${Number(value[1]).toPrecision(3)}`)
      }
    }
    const alerts = await until(prometheus, "the alert fires", async () => {
      const { data } = await ask("ALERTS{alertstate=\"firing\"}")
      return data.result.some(({ metric }) => metric.alertname === "TenementInstanceFailed") && data.result
    })
    console.log("\n# Alerts")
    for (const { metric } of alerts) console.log(`  ${metric.alertname}: ${metric.exported_instance ?? metric.service}`)
    if (stay) {
      console.log(`\nhttp://localhost:${web}/alerts shows the rules. Ctrl-C ends it.`)
      while (person.isWaiting) {
        await get(listen, "/", "shop.localhost")
        await sleep(100)
      }
    }
  } finally {
    for (const { child } of running) child.kill("SIGTERM")
    await Promise.all(running.map(({ exited }) => exited))
    fs.rmSync(app, { recursive: true, force: true })
  }
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})
