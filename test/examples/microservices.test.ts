import { assert, describe, it } from "@effect/vitest"
import type { ChildProcess } from "node:child_process"
import { execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs/promises"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"

const example = path.resolve("examples/microservices")
const demo = path.join(example, "demo.mjs")

const freePort = async () => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** Waits until the program has printed `text`, and gives all that it has printed. */
const printed = (child: ChildProcess, text: string) =>
  new Promise<string>((resolve, reject) => {
    let output = ""
    const look = (chunk: Buffer) => {
      output += chunk.toString("utf8")
      if (output.includes(text)) resolve(output)
    }
    child.stdout?.on("data", look)
    child.stderr?.on("data", look)
    child.once("exit", (code) => reject(new Error(`it ended with ${code} before it said "${text}":\n${output}`)))
  })

const get = (port: number, url: string, host: string) =>
  new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    http.get({ host: "127.0.0.1", port, path: url, headers: { host } }, async (response) => {
      let body = ""
      for await (const chunk of response) body += chunk
      resolve({ status: response.statusCode ?? 0, body })
    }).once("error", reject)
  })

const installed = (program: string) => spawnSync(program, ["-v"]).error === undefined

const staying = async <A>(use: (output: string) => Promise<A>): Promise<A> => {
  const child = spawn(process.execPath, [demo, "--stay"], { stdio: ["ignore", "pipe", "pipe"] })
  const exited = once(child, "exit")
  try {
    return await use(await printed(child, "deploy.sh"))
  } finally {
    child.kill("SIGINT")
    const [code] = await exited
    assert.strictEqual(code, 0)
  }
}

describe("examples/microservices", () => {
  it("the demo tells its story and leaves nothing behind", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [demo])
    assert.match(stdout, /worker:default +healthy/)
    assert.match(stdout, /\/tmp\/webhook\.sock +POST \/webhooks\/payment +→ 200/)
    assert.match(stdout, /SIGKILL/)
    assert.match(stdout, /No process, no socket and no file is left/)
  }, 120_000)

  it("left running, it serves nginx, and deploy.sh puts new versions in place", async () => {
    await staying(async (output) => {
      const socket = /TENEMENT_SOCKET=(\S+)/.exec(output)?.[1] ?? ""
      const app = path.dirname(path.dirname(socket))
      const deployed = await promisify(execFile)(path.join(example, "deploy.sh"), {
        env: { ...process.env, APP: app, TENEMENT_SOCKET: socket, PATH: `${app}/bin:${process.env["PATH"]}` }
      })
      assert.match(deployed.stdout, /jobs:default +healthy/)
      if (!installed("nginx")) return

      const prefix = await fs.mkdtemp(path.join(os.tmpdir(), "tenement-nginx-"))
      const port = await freePort()
      const file = await fs.readFile(path.join(example, "nginx.conf"), "utf8")
      await fs.writeFile(path.join(prefix, "nginx.conf"), file.replaceAll("127.0.0.1:8080", `127.0.0.1:${port}`))
      const nginx = spawn("nginx", ["-e", "stderr", "-p", prefix, "-c", "nginx.conf", "-g", "error_log stderr notice;"])
      const exited = once(nginx, "exit")
      try {
        await printed(nginx, "start worker process")
        const paths = await Promise.all(
          ["/api/orders", "/webhooks/", "/sync/", "/jobs/totals"].map((url) => get(port, url, "localhost"))
        )
        assert.deepStrictEqual(paths.map(({ status }) => status), [200, 200, 200, 200], JSON.stringify(paths))
        const worker = await get(port, "/jobs/totals", "worker.example.com")
        assert.deepStrictEqual(JSON.parse(worker.body), { orders: 0, unpaid: 0 })
        const webhook = await get(port, "/webhooks/", "webhook.example.com")
        assert.deepStrictEqual(JSON.parse(webhook.body), { received: 0 })
      } finally {
        nginx.kill("SIGTERM")
        await exited
        await fs.rm(prefix, { recursive: true })
      }
    })
  }, 120_000)

  it("names the package that is missing", () => {
    const result = spawnSync(process.execPath, [demo], { encoding: "utf8", env: { PATH: "/nonexistent" } })
    assert.strictEqual(result.status, 1)
    assert.match(result.stderr, /apt-get install python3/)
  })

  it("says who is in the way when a socket is in use", async () => {
    const server = net.createServer().listen("/tmp/jobs.sock")
    await once(server, "listening")
    try {
      const result = spawnSync(process.execPath, [demo], { encoding: "utf8" })
      assert.strictEqual(result.status, 1)
      assert.match(result.stderr, /something listens on \/tmp\/jobs\.sock already/)
    } finally {
      server.close()
      await once(server, "close")
    }
  }, 30_000)
})
