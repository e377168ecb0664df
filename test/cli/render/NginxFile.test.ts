import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as NginxFile from "../../../src/cli/render/NginxFile.ts"
import type { TenementConfig } from "../../../src/domain/Config.ts"
import { InstanceId, ServiceName } from "../../../src/domain/Names.ts"
import * as Routing from "../../../src/domain/Routing.ts"
import * as Embed from "../../../src/embed.ts"

const listen = { host: "127.0.0.1", port: 8000 }
const name = (text: string) => ServiceName.make(text)

const config = (
  services: ReadonlyArray<Parameters<typeof Embed.service>[0]>,
  settings: Partial<TenementConfig["settings"]> = {},
  routing: Partial<Routing.Routing> = {}
): TenementConfig => {
  const made = Embed.config({ services: services.map((service) => Embed.service(service)) })
  return {
    ...made,
    settings: { ...made.settings, listen, domain: "example.com", ...settings },
    routing: { ...Routing.none, ...routing }
  }
}

const print = (...args: Parameters<typeof config>) => NginxFile.make(config(...args), ["80"])

const servers = (text: string, upstream: string): ReadonlyArray<string> => {
  const [, inside] = new RegExp(`upstream ${upstream} \\{\\n([^}]*)\\}`).exec(text) ?? assert.fail(`no ${upstream}`)
  return inside!.trim().split("\n").map((line) => line.trim())
}

describe("the nginx file", () => {
  it("names public sockets with their weights, and the gateway where none of them answers", () => {
    const { text, unreachable } = print([
      { name: "api", command: "x", socket: "/tmp/api.sock", instances: ["default", "blue"], weight: 30 },
      { name: "tcp", command: "x", port: 9000 },
      { name: "auto", command: "x", port: "auto" },
      { name: "none", command: "x", instances: [] },
      { name: "off", command: "x", socket: "/tmp/off.sock", weight: 0 }
    ])
    const gateway = "server 127.0.0.1:8000 backup max_fails=0;"
    assert.deepStrictEqual(servers(text, "tenement-api"), [
      "server unix:/tmp/api.sock weight=30 max_fails=0;",
      "server unix:/tmp/api-blue.sock weight=30 max_fails=0;",
      gateway
    ])
    assert.deepStrictEqual(servers(text, "tenement-api.blue"), ["server unix:/tmp/api-blue.sock max_fails=0;", gateway])
    assert.deepStrictEqual(servers(text, "tenement-tcp"), ["server 127.0.0.1:9000 weight=100 max_fails=0;", gateway])
    assert.deepStrictEqual(servers(text, "tenement-off.default"), ["server unix:/tmp/off.sock max_fails=0;", gateway])
    for (const alone of ["tenement-auto", "tenement-none", "tenement-off", "tenement"]) {
      assert.deepStrictEqual(servers(text, alone), ["server 127.0.0.1:8000;"])
    }
    assert.deepStrictEqual(unreachable, [])
  })

  it("says who cannot be reached where there is no gateway", () => {
    const { text, unreachable } = print([
      { name: "api", command: "x", socket: "/tmp/api.sock" },
      { name: "auto", command: "x", port: "auto" }
    ], { listen: null })
    assert.deepStrictEqual(unreachable, [name("auto")])
    assert.deepStrictEqual(servers(text, "tenement-api"), ["server unix:/tmp/api.sock weight=100 max_fails=0;"])
    assert.notInclude(text, "proxy_pass http://tenement;")
    assert.match(text, /auto\.example\.com nobody;/)
  })

  it("tries as often as it takes to come to the gateway, and no more often than that", () => {
    const of = (count: number) => {
      const instances = Array.from({ length: count }, (_, index) => `i${index}`)
      return /tries (\d+);/.exec(print([{ name: "a", command: "x", instances }]).text)?.[1]
    }
    assert.deepStrictEqual([of(1), of(2), of(5)], ["3", "3", "6"])
  })

  it("tells tenement of requests where the file asks for it", () => {
    const syslog = { host: "127.0.0.1", port: 5514 }
    const asked = print([{ name: "a", command: "x" }], { syslog }).text
    assert.match(
      asked,
      /^access_log syslog:server=127\.0\.0\.1:5514,nohostname,tag=tenement tenement if=\$tenement_logged;$/m
    )
    assert.notInclude(print([{ name: "a", command: "x" }]).text, "access_log")
  })

  it("is not left by what is written into it", () =>
    FC.assert(FC.property(FC.string({ minLength: 1 }), FC.string(), (odd, file) => {
      const made = config([{ name: "a", command: "x", socket: `/tmp/${odd}.sock` }])
      const { text } = NginxFile.make({ ...made, file }, ["80"])
      const bare = NginxFile.make({ ...config([{ name: "a", command: "x", socket: "/tmp/x.sock" }]), file: "" }, ["80"])
      // Without what is in quotes, and what comments say, it is the same whatever the names are.
      const skeleton = (text: string) =>
        text.replaceAll(/^ *#.*$/gm, "#").replaceAll(/"(?:\\[^]|[^"\\])*"/g, "Q").replaceAll(/unix:\S*/g, "Q")
      assert.strictEqual(skeleton(text), skeleton(bare.text))
    })))

  it.each(["80", "127.0.0.1:8080", "[::]:443 ssl", "*:81", "443 ssl", "example.com:80"])(
    "listens on %s",
    (text) => assert.isTrue(NginxFile.isListen(text))
  )

  it.each(["", "0", "80;", "80 default_server", "unix:/x", "80\n", "a b:80", "127.0.0.1", "80 ssl;"])(
    "not on %j",
    (text) => assert.isFalse(NginxFile.isListen(text))
  )

  it("leaves ids to the names that the file lists", () =>
    assert.include(
      print([{ name: "a", command: "x", instances: [InstanceId.make("b")] }]).text,
      "b.a.example.com tenement-a.b;"
    ))
})
