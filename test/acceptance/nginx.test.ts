import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as dgram from "node:dgram"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import * as NginxFile from "../../src/cli/render/NginxFile.ts"
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import { ServiceName } from "../../src/domain/Names.ts"
import * as Routing from "../../src/domain/Routing.ts"
import * as Upstream from "../../src/domain/Upstream.ts"
import * as Embed from "../../src/embed.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import { type Machine, make } from "./Machine.ts"
import * as Nginx from "./Nginx.ts"
import * as Requirement from "./Requirement.ts"
import type * as Site from "./Site.ts"

const { isSkipped, told } = Requirement.programs("nginx")

const script = path.resolve(import.meta.dirname, "../fixtures/upstream.mjs")

const upstream = (keys: Fx.Table = {}): Fx.Table => ({
  command: process.execPath,
  args: [script],
  isolation: "process",
  readiness: keys["port"] === undefined ? "socket" : "port",
  ...keys
})

/** A machine behind an nginx that has what `tenement nginx` prints for it. */
const front = (file: Exclude<Site.File, string>, options: { readonly rewrite?: (text: string) => string } = {}) =>
  Effect.gen(function*() {
    const [listen, syslog, port] = yield* Effect.all([Nginx.freePort, Nginx.freePort, Nginx.freePort])
    const settings = { listen: `127.0.0.1:${listen}`, domain: "example.test", syslog: `127.0.0.1:${syslog}` }
    const machine = yield* make({ ...file, settings: { ...settings, ...file.settings } }, { extraDescriptors: 2 })
    yield* eventually("all are ready", machine.list, (all) => all.every(({ state }) => state === "running"))
    const printed = yield* machine.cli("nginx", "--listen", `127.0.0.1:${port}`)
    assert.strictEqual(printed.code, 0, printed.stderr)
    const nginx = yield* Nginx.serve((options.rewrite ?? ((text) => text))(printed.stdout))
    const ask = (host: string, path: string, request: Http.Request = {}) =>
      Effect.orDie(Http.request(port, path, { ...request, headers: { host, ...request.headers } }))
    return { machine, port, gateway: listen, syslog, nginx, ask }
  })

interface Head {
  readonly name: string
  readonly url: string
  readonly raw: ReadonlyArray<string>
}

const fields = ({ raw }: Head, name: string) =>
  raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name)

/** What comes back for these bytes, until `until` is in it. */
const raw = (port: number, bytes: string, until: string) =>
  Effect.async<string>((resume) => {
    let text = ""
    const socket = net.connect(port, "127.0.0.1", () => void socket.write(bytes))
    const done = () => {
      resume(Effect.succeed(text))
      socket.destroy()
    }
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (text.includes(until)) done()
    })
    socket.on("error", done)
    socket.once("close", done)
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("20 seconds"), Effect.orDie)

const metrics = (machine: Machine) => Effect.map(machine.api("/metrics"), ({ text }) => text)

const sample = (text: string, series: string): number => {
  const line = text.split("\n").find((line) => line.startsWith(`${series} `))
  return line === undefined ? 0 : Number(line.slice(series.length + 1))
}

/** Waits until so much is counted, and makes sure that it is not more. */
const counted = (machine: Machine, series: Readonly<Record<string, number>>) =>
  Effect.gen(function*() {
    const seen = Effect.map(metrics(machine), (text) =>
      Object.fromEntries(Object.keys(series).map((name) => [name, sample(text, name)])))
    yield* eventually("all is counted", seen, (seen) =>
      Object.entries(series).every(([name, value]) =>
        (seen[name] ?? 0) >= value
      ))
    assert.deepStrictEqual(yield* seen, series)
  })

describe.skipIf(isSkipped)(`nginx${told}`, () => {
  it.scopedLive("finds services by host and path, as the gateway does, and tells who asked", () =>
    Effect.gen(function*() {
      const { ask, gateway, machine } = yield* front({
        service: {
          web: upstream({ instances: ["default", "blue"] }),
          api: upstream({ port: "auto" }),
          idle: upstream({ instances: [] })
        },
        routing: { subdomain: { shop: "web" }, path: { "/v1": "api", "/v1/web": "web" } }
      })
      const name = (host: string, path: string) =>
        Effect.map(ask(host, path), ({ json, status }) => status === 200 ? (json as Head).name : String(status))
      assert.strictEqual(yield* name("blue.web.example.test", "/"), "web:blue")
      assert.strictEqual(yield* name("API.example.test:80", "/health"), "api:default")
      assert.match(yield* name("shop.example.test", "/v1"), /^web:/)
      assert.strictEqual(yield* name("example.test", "/v1/things"), "api:default")
      assert.strictEqual(yield* name("example.test", "/v1?web"), "api:default")
      assert.match(yield* name("example.test", "/v1/web/x"), /^web:/)
      assert.strictEqual(yield* name("example.test", "/v10"), "404")
      assert.strictEqual(yield* name("nobody.example.test", "/"), "404")
      assert.strictEqual(yield* name("green.web.example.test", "/"), "404")
      assert.strictEqual(yield* name("idle.example.test", "/"), "503")
      assert.include((yield* ask("example.test", "/health")).text, String(machine.supervisor.pid))
      assert.strictEqual((yield* ask("example.test", "/api/instances")).status, 401)

      // An instance that no file lists is the gateway's to find.
      assert.strictEqual((yield* machine.cli("spawn", "web:green")).code, 0)
      assert.strictEqual(yield* name("green.web.example.test", "/"), "web:green")

      const asked = yield* ask("web.example.test:8080", "/head?q=%2e%2e", {
        headers: { "x-forwarded-for": "192.0.2.7", "x-real-ip": "192.0.2.7", forwarded: "for=192.0.2.7" }
      })
      const head = asked.json as Head
      assert.strictEqual(head.url, "/head?q=%2e%2e")
      assert.deepStrictEqual(fields(head, "host"), ["web.example.test:8080"])
      assert.deepStrictEqual(fields(head, "x-forwarded-for"), ["127.0.0.1"])
      assert.deepStrictEqual(fields(head, "x-real-ip"), ["127.0.0.1"])
      assert.deepStrictEqual(fields(head, "x-forwarded-proto"), ["http"])
      assert.deepStrictEqual(fields(head, "x-forwarded-host"), ["web.example.test:8080"])
      assert.deepStrictEqual(fields(head, "forwarded"), [])
      assert.deepStrictEqual(fields(head, "via"), [], "it did not pass the gateway")

      const straight = yield* Effect.orDie(Http.request(gateway, "/v1/x", { headers: { host: "example.test" } }))
      assert.strictEqual((straight.json as Head).name, "api:default")
    }))

  it.scopedLive("passes on upgrades and streams as they come", () =>
    Effect.gen(function*() {
      const { ask, machine, port } = yield* front({ service: { web: upstream() } })
      const upgrade = (protocol: string) =>
        `GET /ws HTTP/1.1\r\nHost: web.example.test\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\nearly`
      assert.match(yield* raw(port, upgrade("echo"), "helloearly"), /^HTTP\/1\.1 101 /)
      assert.match(yield* raw(port, upgrade("h2c"), "\r\n\r\n"), /^HTTP\/1\.1 200 /)
      const events = yield* raw(port, "GET /wait HTTP/1.1\r\nHost: web.example.test\r\n\r\n", "data: 1")
      assert.include(events, "text/event-stream")
      // The first piece is answered before the second is sent.
      const head = "POST /echo HTTP/1.1\r\nHost: web.example.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
      assert.include(yield* raw(port, head, "one\r\n"), "one")
      const large = yield* ask("web.example.test", "/sum", { method: "POST", raw: Buffer.alloc(5 << 20, "x") })
      assert.strictEqual(large.text, String(5 << 20))
      yield* counted(machine, {
        "tenement_requests_total{service=\"web\",instance=\"web:default\",code=\"1xx\"}": 1,
        "tenement_errors_total{service=\"web\",kind=\"client-left\"}": 0
      })
    }))

  it.scopedLive("needs nothing when an instance restarts, and repeats no order", () =>
    Effect.gen(function*() {
      const { ask, machine, nginx } = yield* front({
        service: {
          web: upstream({ instances: ["default", "blue"] }),
          dying: upstream({ ...Fx.eager, restart: "always", instances: ["default", "blue"] })
        }
      })
      const log = `${nginx.prefix}/off_site.log`
      const test = { isOver: false }
      const seen = new Set<string>()
      const load = Effect.gen(function*() {
        while (!test.isOver) {
          const { json, status, text } = yield* ask("web.example.test", "/")
          assert.strictEqual(status, 200, text)
          seen.add((json as Head).name)
        }
      })
      const loads = yield* Effect.fork(Effect.all([load, load, load], { concurrency: "unbounded", discard: true }))
      for (const name of ["web:default", "web:blue", "web:default"]) {
        assert.strictEqual((yield* machine.ask("restart", name)).status, 200)
        seen.clear()
        yield* eventually("both serve", Effect.sync(() => seen.size), (size) => size === 2)
      }
      test.isOver = true
      yield* loads
      assert.isAbove(fs.readFileSync(log, "utf8").split("\n").length, 10, "the other log goes on")

      // Whoever got it has died of it. What it did before is not known, so nobody else is asked.
      const runs = (name: string) => Effect.map(machine.describe(name), ({ incarnation }) => incarnation)
      const all = Effect.map(Effect.all([runs("dying"), runs("dying:blue")]), ([a, b]) => a + b)
      const before = yield* all
      const died = yield* ask("dying.example.test", "/die", { method: "POST", raw: "x" })
      assert.strictEqual(died.status, 502)
      yield* eventually("it has died", all, (runs) => runs > before)
      yield* eventually("it runs again", machine.list, (list) => list.every(({ state }) => state === "running"))
      assert.strictEqual(yield* all, before + 1)
    }))

  it.scopedLive("what it serves is counted once, whichever way it went", () =>
    Effect.gen(function*() {
      const { ask, machine, port } = yield* front({
        service: { web: upstream(), auto: upstream({ port: "auto" }), gone: Fx.service({ instances: ["default"] }, "") }
      })
      for (let turn = 0; turn < 5; turn++) yield* ask("web.example.test", "/")
      for (let turn = 0; turn < 3; turn++) yield* ask("auto.example.test", "/")
      assert.strictEqual((yield* ask("gone.example.test", "/")).status, 502)
      yield* raw(port, "GET /wait HTTP/1.1\r\nHost: web.example.test\r\n\r\n", "data: 1")
      yield* machine.stop("web")
      assert.strictEqual((yield* ask("web.example.test", "/")).status, 503)
      yield* counted(machine, {
        // Five, and the stream that was left.
        "tenement_requests_total{service=\"web\",instance=\"web:default\",code=\"2xx\"}": 6,
        "tenement_requests_total{service=\"web\",instance=\"\",code=\"5xx\"}": 1,
        "tenement_requests_total{service=\"auto\",instance=\"auto:default\",code=\"2xx\"}": 3,
        "tenement_requests_total{service=\"gone\",instance=\"gone:default\",code=\"5xx\"}": 1,
        "tenement_errors_total{service=\"web\",kind=\"not-ready\"}": 1,
        "tenement_errors_total{service=\"gone\",kind=\"connect\"}": 1,
        "tenement_request_seconds_count{service=\"web\"}": 7,
        "tenement_access_log_lines_total{outcome=\"counted\"}": 6,
        // Three of auto, whose port the gateway alone knows; gone and web, which it was asked for last.
        "tenement_access_log_lines_total{outcome=\"ignored\"}": 5,
        "tenement_access_log_lines_total{outcome=\"malformed\"}": 0
      })
    }))

  it.scopedLive("what it serves is counted for the instance that the path leads to by now", () =>
    Effect.gen(function*() {
      const { ask, machine } = yield* front({ service: { web: upstream({ socket: "{run_dir}/web.sock" }) } })
      const name = Effect.map(ask("web.example.test", "/"), ({ json }) => (json as Head).name)
      const counts = (first: number, second: number) =>
        counted(machine, {
          "tenement_requests_total{service=\"web\",instance=\"web:default\",code=\"2xx\"}": first,
          "tenement_requests_total{service=\"web\",instance=\"web:v2\",code=\"2xx\"}": second
        })
      assert.strictEqual(yield* name, "web:default")
      yield* counts(1, 0)
      const deployed = yield* machine.cli("deploy", "web", "--as", "v2")
      assert.strictEqual(deployed.code, 0, deployed.stderr)
      assert.strictEqual(yield* name, "web:v2")
      yield* counts(1, 1)
      const routed = yield* machine.cli("route", "web:default")
      assert.strictEqual(routed.code, 0, routed.stderr)
      assert.strictEqual(yield* name, "web:default")
      yield* counts(2, 1)
    }))

  it.scopedLive("an nginx file of one's own is counted by two lines more", () =>
    Effect.gen(function*() {
      const { machine, syslog } = yield* front({
        service: {
          api: upstream(),
          worker: upstream()
        }
      })
      const port = yield* Nginx.freePort
      const format = (yield* machine.cli("nginx")).stdout.split("\n").find((line) => line.startsWith("log_format"))
      yield* Nginx.serve(`
        ${format}
        access_log syslog:server=127.0.0.1:${syslog},nohostname,tag=tenement tenement;
        upstream api { server unix:${(yield* machine.view("api")).socket}; }
        upstream worker { server unix:${(yield* machine.view("worker")).socket}; }
        server {
          listen 127.0.0.1:${port};
          server_name api.example.com;
          location /api/ { proxy_pass http://api; }
          location /jobs/ { proxy_pass http://worker; }
        }
        server {
          listen 127.0.0.1:${port};
          server_name worker.example.com;
          location / { proxy_pass http://worker; }
        }`)
      const name = (host: string, path: string) =>
        Effect.map(Effect.orDie(Http.request(port, path, { headers: { host } })), ({ json }) => (json as Head).name)
      assert.strictEqual(yield* name("api.example.com", "/api/x"), "api:default")
      assert.strictEqual(yield* name("api.example.com", "/jobs/x"), "worker:default")
      assert.strictEqual(yield* name("worker.example.com", "/"), "worker:default")
      yield* counted(machine, {
        "tenement_requests_total{service=\"api\",instance=\"api:default\",code=\"2xx\"}": 1,
        "tenement_requests_total{service=\"worker\",instance=\"worker:default\",code=\"2xx\"}": 2
      })
    }))

  it.scopedLive("decides as the gateway does, whatever the host and the path", () =>
    Effect.gen(function*() {
      const service = (name: string, more: Partial<ServiceConfig> = {}) => ({
        ...Embed.service({ name, command: "x", instances: ["default", "blue"] }),
        ...more
      })
      const names = ["web", "api", "a-b", `long-${"x".repeat(50)}`]
      const made = Embed.config({
        services: names.map((name) => service(name, { socket: `/tmp/o d"d;$x{{}}\\ü-${name}-{id}` }))
      })
      const [web, api, dashed] = names.map((name) => ServiceName.make(name))
      const config: TenementConfig = {
        ...made,
        file: "/etc/odd\nname; }",
        settings: {
          ...made.settings,
          domain: "Example.test",
          listen: { host: "127.0.0.1", port: 8000 },
          syslog: { host: "127.0.0.1", port: 5514 }
        },
        routing: {
          default: web!,
          subdomain: { shop: web!, "blue.api": dashed!, "x.y": api! },
          path: { "/v1": api!, "/v1/deep/": dashed!, "/v1.0": dashed!, "/a^b]\\e\"f$g{": api!, "/%2e": api! }
        }
      }
      const port = yield* Nginx.freePort
      const { text } = NginxFile.make(config, [`127.0.0.1:${port}`])
      assert.strictEqual(yield* Nginx.objections(text), "")
      // What it would pass on to whom is told instead.
      yield* Nginx.serve(text.replaceAll("proxy_pass http://$tenement_upstream;", "return 200 $tenement_upstream;"))

      const table = Routing.make({
        domain: "example.test",
        own: ["localhost"],
        services: config.services.keys(),
        routing: config.routing
      })
      const expected = (host: string, path: string): string => {
        const target = table(host, path)
        switch (target._tag) {
          case "Service":
            return Upstream.nameOf(target.service)
          case "Instance": {
            const { id, service } = target
            return ["default", "blue"].includes(id) ? Upstream.nameOf(service, id) : Upstream.gateway
          }
          default:
            return target._tag
        }
      }
      const hosts = names.flatMap((
        name
      ) => [`${name}.example.test`, `blue.${name}.example.test`, `green.${name}.example.test`])
      const all = [
        ...hosts,
        "shop.example.test",
        "x.y.example.test",
        "SHOP.Example.test:81",
        "nobody.example.test",
        "example.test",
        "other.test",
        "_._.example.test",
        "a.b.c.example.test"
      ]
      const paths = [
        "/",
        "/v1",
        "/v1/",
        "/v1?x",
        "/v10",
        "/v1.0",
        "/v1x0",
        "/v1/deep",
        "/v1/deep/x",
        "/v1/deeper",
        "/x/../v1",
        "//v1",
        "/a^b]\\e\"f$g{",
        "/a^b]\\e\"f$g{/x",
        "/%2e",
        "/%2E",
        "/%76%31",
        "/?/v1",
        "/V1"
      ]
      for (const host of all) {
        for (const path of paths) {
          const { status, text } = yield* Effect.orDie(Http.request(port, path, { headers: { host } }))
          if (status === 400) continue
          assert.strictEqual(text, expected(host, path), `${host} ${path}`)
        }
      }
    }))

  it.scopedLive("datagrams from anybody end nothing and make no series", () =>
    Effect.gen(function*() {
      const { machine, syslog } = yield* front({ service: { web: upstream() } })
      const { socket } = yield* machine.view("web")
      const line = (fields: Readonly<Record<string, string>>) =>
        `<190>Nov 30 10:50:50 tenement: ${
          JSON.stringify({
            service: "tenement-web",
            upstream: `unix:${socket}`,
            status: "200",
            seconds: "0.001",
            bytes: "1",
            connected: "0.000",
            answered: "0.001",
            ...fields
          })
        }`
      const hostile = [
        "",
        "\0",
        "<190>",
        line({}).slice(0, -1),
        line({ status: "2000" }),
        line({ seconds: "-1" }),
        line({ seconds: "9e99" }),
        `<190>Nov 30 10:50:50 tenement: {"__proto__":{"service":"web"}}`,
        `<190>Nov 30 10:50:50 tenement: ${"[".repeat(5000)}`,
        line({ bytes: "x".repeat(9000) })
      ]
      const unknown = [
        line({ upstream: "unix:/tmp/nobody.sock" }),
        line({ upstream: "tenement-nobody", service: "tenement-nobody" }),
        line({ upstream: "constructor", service: "constructor" }),
        line({ upstream: "" })
      ]
      const before = (yield* metrics(machine)).split("\n").length
      const sender = dgram.createSocket("udp4")
      yield* Effect.addFinalizer(() => Effect.sync(() => sender.close()))
      const send = (text: string | Buffer) =>
        Effect.async<void>((resume) => sender.send(text, syslog, "127.0.0.1", () => resume(Effect.void)))
      for (const text of hostile) yield* send(text)
      for (const text of unknown) yield* send(text)
      for (let turn = 0; turn < 200; turn++) {
        yield* send(Buffer.from(Array.from({ length: 60 }, () => Math.floor(Math.random() * 256))))
      }
      yield* send(line({}))
      yield* counted(machine, {
        "tenement_requests_total{service=\"web\",instance=\"web:default\",code=\"2xx\"}": 1,
        "tenement_access_log_lines_total{outcome=\"counted\"}": 1,
        "tenement_access_log_lines_total{outcome=\"ignored\"}": unknown.length,
        "tenement_access_log_lines_total{outcome=\"malformed\"}": hostile.length + 200
      })
      const after = (yield* metrics(machine)).split("\n").filter((line) => !/^#|_bucket/.test(line))
      assert.isBelow(after.length, before + 10)
      // An instance that is gone stays gone.
      assert.strictEqual((yield* machine.cli("rm", "web:default")).code, 0)
      yield* send(line({}))
      yield* eventually("it is heard", metrics(machine), (text) =>
        sample(text, "tenement_access_log_lines_total{outcome=\"ignored\"}") === unknown.length + 1)
      assert.notInclude(yield* metrics(machine), "web:default")
      assert.notInclude(yield* machine.supervisor.stderr, "defect")
    }))
})
