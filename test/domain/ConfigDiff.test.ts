import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type { GroupConfig, ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import { diff } from "../../src/domain/ConfigDiff.ts"
import * as Keys from "../../src/domain/ConfigKeys.ts"
import { GroupName, InstanceId, ServiceName } from "../../src/domain/Names.ts"
import * as Routing from "../../src/domain/Routing.ts"

const api: ServiceConfig = {
  name: ServiceName.make("api"),
  source: { file: "/srv/tenement.toml", line: 1 },
  argv: ["./api"],
  cwd: "/srv",
  env: {},
  envFiles: [],
  secrets: {},
  user: null,
  group: null,
  socket: "{run_dir}/{name}-{id}.sock",
  socketDeclared: false,
  socketMode: 0o666,
  port: null,
  socketActivation: false,
  health: null,
  healthIntervalMs: 10_000,
  healthTimeoutMs: 5000,
  healthRetries: 3,
  readiness: "started",
  startupTimeoutMs: 30_000,
  restart: "on-failure",
  maxRestarts: 3,
  restartWindowMs: 300_000,
  backoffBaseMs: 1000,
  backoffMaxMs: 60_000,
  backoffJitter: 0.1,
  stableAfterMs: 60_000,
  stopSignal: "SIGTERM",
  stopTimeoutMs: 10_000,
  dependsOn: [],
  instances: [InstanceId.make("default")],
  isolation: "process",
  network: "host",
  privateTmp: false,
  capabilities: [],
  sandboxRuntime: "gvisor",
  memoryLimitBytes: null,
  cpuShares: null,
  cpuLimit: null,
  pidsLimit: null,
  restartMode: "sequential",
  drainTimeoutMs: 30_000,
  idleTimeoutMs: 0,
  weight: 100
}

const all: GroupConfig = {
  name: GroupName.make("all"),
  services: [api.name],
  strategy: "one-for-all",
  maxRestarts: 3,
  restartWindowMs: 300_000
}

const config = (
  services: ReadonlyArray<ServiceConfig>,
  more: Partial<Pick<TenementConfig, "settings" | "routing">> & { readonly groups?: ReadonlyArray<GroupConfig> } = {}
): TenementConfig => ({
  file: "/srv/tenement.toml",
  settings: more.settings ?? settings,
  services: new Map(services.map((service) => [service.name, service])),
  groups: new Map((more.groups ?? []).map((group) => [group.name, group])),
  routing: more.routing ?? Routing.none
})

const settings: TenementConfig["settings"] = {
  dataDir: "/data",
  socket: "/run/t.sock",
  runDir: "/run/t",
  listen: null,
  domain: "localhost",
  syslog: null,
  startConcurrency: 4,
  cgroupRoot: null,
  logMaxBytes: 1024 ** 2,
  logKeep: 5
}

const change = (from: Partial<ServiceConfig>, to: Partial<ServiceConfig>) =>
  diff(config([{ ...api, ...from }]), config([{ ...api, ...to }])).services[0]

const changed: FastCheck.Arbitrary<Partial<ServiceConfig>> = FastCheck.record({
  argv: FastCheck.array(FastCheck.string(), { minLength: 1, maxLength: 3 }),
  env: FastCheck.dictionary(FastCheck.constantFrom("A", "B", "constructor"), FastCheck.string()),
  secrets: FastCheck.dictionary(FastCheck.constantFrom("S", "T", "toString"), FastCheck.string({ minLength: 12 })),
  health: FastCheck.constantFrom(null, "/", "/health"),
  weight: FastCheck.nat(3),
  maxRestarts: FastCheck.constantFrom(0, 3, Infinity),
  instances: FastCheck.uniqueArray(FastCheck.constantFrom("a", "b", "c").map((id) => InstanceId.make(id)))
}, { requiredKeys: [] })

describe("ConfigDiff.diff", () => {
  it("of a configuration and itself is nothing, wherever it is written", () => {
    FastCheck.assert(FastCheck.property(changed, (keys) => {
      const same = diff(
        config([{ ...api, ...keys }], { groups: [all] }),
        config([{ ...api, ...keys, source: { file: "/other", line: 9 } }], { groups: [all] })
      )
      assert.deepStrictEqual(same, { settings: [], services: [], groups: [], routing: [] })
    }))
  })

  it("there and back names the same keys, with old and new value swapped", () => {
    FastCheck.assert(FastCheck.property(changed, changed, (from, to) => {
      const there = change(from, to)
      const back = change(to, from)
      assert.deepStrictEqual(there?.kind, back?.kind)
      assert.sameDeepMembers(
        (there?.keys ?? []).filter(({ key }) => !key.startsWith("env_file")),
        (back?.keys ?? []).filter(({ key }) => !key.startsWith("env_file"))
          .map(({ from, key, to }) => ({ key, from: to, to: from }))
      )
      assert.deepStrictEqual(there?.addedInstances, back?.removedInstances)
    }))
  })

  it("never tells a secret", () => {
    FastCheck.assert(FastCheck.property(changed, changed, (from, to) => {
      const told = JSON.stringify(change({ ...from, argv: ["x"], env: {} }, { ...to, argv: ["x"], env: {} }) ?? "")
      for (const secret of Object.values({ ...from.secrets, ...to.secrets })) {
        assert.notInclude(told, JSON.stringify(secret).slice(1, -1))
      }
    }))
  })

  it("replaces processes for what they were started with, and for nothing else", () => {
    const kinds: ReadonlyArray<readonly [Partial<ServiceConfig>, "restart" | "update"]> = [
      [{ argv: ["./b"] }, "restart"],
      [{ cwd: "/" }, "restart"],
      [{ env: { A: "1" } }, "restart"],
      [{ secrets: { A: "1" } }, "restart"],
      [{ user: "nobody" }, "restart"],
      [{ port: "auto" }, "restart"],
      [{ socket: "/tmp/a", socketDeclared: true }, "restart"],
      [{ socketMode: 0o600 }, "restart"],
      [{ health: "/" }, "update"],
      [{ healthIntervalMs: 1 }, "update"],
      [{ maxRestarts: Infinity }, "update"],
      [{ stopTimeoutMs: 1 }, "update"],
      [{ dependsOn: [ServiceName.make("db")] }, "update"],
      [{ instances: [] }, "update"],
      [{ weight: 1 }, "update"]
    ]
    for (const [keys, kind] of kinds) assert.strictEqual(change({}, keys)?.kind, kind, JSON.stringify(keys))
  })

  it("shows values as the file would", () => {
    assert.deepStrictEqual(
      change(
        { env: { A: "1", B: "b" }, secrets: { S: "old", T: "t" } },
        {
          argv: ["./api", "-v"],
          env: { A: "2" },
          secrets: { S: "new", U: "u" },
          maxRestarts: Infinity,
          stopTimeoutMs: 1500
        }
      )?.keys,
      [
        { key: "command", from: "[\"./api\"]", to: "[\"./api\",\"-v\"]" },
        { key: "env.A", from: "\"1\"", to: "\"2\"" },
        { key: "env.B", from: "\"b\"", to: "(none)" },
        { key: "env_file S", from: "(hidden)", to: "(changed)" },
        { key: "env_file T", from: "(hidden)", to: "(none)" },
        { key: "env_file U", from: "(none)", to: "(hidden)" },
        { key: "max_restarts", from: "3", to: "\"unlimited\"" },
        { key: "stop_timeout", from: "10", to: "1.5" }
      ]
    )
  })

  it("tells what comes and what goes", () => {
    const web = { ...api, name: ServiceName.make("web"), instances: [InstanceId.make("a"), InstanceId.make("b")] }
    assert.deepStrictEqual(
      diff(
        config([api], { groups: [all] }),
        config([web], { settings: { ...settings, listen: { host: "::1", port: 9 } } })
      ),
      {
        settings: [{ key: "listen", from: "\"off\"", to: "\"[::1]:9\"" }],
        services: [
          { service: api.name, kind: "removed", keys: [], addedInstances: [], removedInstances: api.instances },
          { service: web.name, kind: "added", keys: [], addedInstances: web.instances, removedInstances: [] }
        ],
        groups: [{ group: all.name, kind: "removed", keys: [] }],
        routing: []
      }
    )
    assert.deepStrictEqual(
      diff(config([api], { groups: [all] }), config([api], { groups: [{ ...all, strategy: "rest-for-one" }] })).groups,
      [{
        group: all.name,
        kind: "update",
        keys: [{ key: "strategy", from: "\"one-for-all\"", to: "\"rest-for-one\"" }]
      }]
    )
  })

  it("knows every key of a service", () => {
    // Of these the configuration holds a form of its own: see `command`, `env_file`, `socket`.
    const apart = ["name", "source", "socketDeclared", "secrets"]
    assert.strictEqual(Keys.service.length, Object.keys(api).length - apart.length)
  })
})
