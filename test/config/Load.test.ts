import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { complaints, loading, outcome } from "./files.ts"

/** A file with one service that has these keys. */
const service = (keys: string): string => `[service.api]\ncommand = "./api"\nisolation = "process"\n${keys}`

const only = (text: string, more = {}) =>
  Effect.flatMap(outcome(text, more), (result) => {
    if (Either.isLeft(result)) assert.fail(result.left.message)
    return Effect.succeed([...result.right.services.values()][0]!)
  })

/** Each key of a service's table: what the file says, and what is said to that. */
const refusals: ReadonlyArray<readonly [keys: string, complaint: string]> = [
  ["helth = \"/\"", "4:1 service.api.helth: unknown key; did you mean \"health\"?"],
  ["data_dir = \"/x\"", "4:1 service.api.data_dir: unknown key here; it belongs in [settings]"],
  ["zzzzzzzzzzz = 1", "4:1 service.api.zzzzzzzzzzz: unknown key; the nearest known key is \""],
  [
    "restart = \"sometimes\"",
    "4:11 service.api.restart: found \"sometimes\", allowed: \"always\", \"on-failure\" or \"never\""
  ],
  ["health = \"health\"", "4:10 service.api.health: found \"health\", allowed: a path that begins with /"],
  [
    "health_interval = \"10 parsecs\"",
    "4:19 service.api.health_interval: found \"10 parsecs\", allowed: seconds (10) or a duration"
  ],
  ["stop_timeout = -1", "4:16 service.api.stop_timeout: found -1, allowed: seconds (10) or a duration"],
  ["stop_timeout = inf", "4:16 service.api.stop_timeout: found Infinity, allowed: seconds"],
  ["stop_timeout = nan", "4:16 service.api.stop_timeout: found NaN, allowed: seconds"],
  ["stop_timeout = \"300h\"", "at most 10 days"],
  [
    "max_restarts = 1.5",
    "4:16 service.api.max_restarts: found 1.5, allowed: a whole number from 0 to 1000000, or \"unlimited\""
  ],
  ["max_restarts = 99999999999999999999", "found 99999999999999999999, allowed: a whole number"],
  ["port = 0", "4:8 service.api.port: found 0, allowed: a whole number from 1 to 65535, or \"auto\""],
  ["stop_signal = \"SIGSTOP\"", "4:15 service.api.stop_signal: found \"SIGSTOP\", allowed: a signal's name"],
  ["socket_mode = 666", "4:15 service.api.socket_mode: found 666, allowed: permission bits in octal, in quotes"],
  ["user = \"a b\"", "4:8 service.api.user: found \"a b\", allowed: a name or a number"],
  ["env = { A = 1.10 }", "4:13 service.api.env.A: write this number in quotes"],
  ["env = { A = 1979-05-27 }", "4:13 service.api.env.A: found the date 1979-05-27, allowed: text in quotes"],
  ["env = { A = [] }", "4:13 service.api.env.A: found an empty array, allowed: text in quotes"],
  ["env.\"A B\" = \"\"", "4:1 service.api.env.\"A B\": this is no good name, allowed: a variable's name"],
  ["env.__proto__ = \"\"", "4:1 service.api.env.__proto__: this is no good name"],
  ["env = 1979-05-27", "4:7 service.api.env: found the date 1979-05-27, allowed: a table"],
  ["instances = [\"a\", \"B\"]", "4:19 service.api.instances[1]: found \"B\", allowed: an instance's id"],
  ["instances = [\"a\", \"a\"]", "4:19 service.api.instances[1]: \"a\" is listed twice"],
  ["instances = 3", "4:13 service.api.instances: found 3, allowed: an array, each element an instance's id"],
  ["depends_on = [\"apu\"]", "4:15 service.api.depends_on[0]: there is no service \"apu\"; did you mean \"api\"?"],
  ["depends_on = [\"api\"]", "4:15 service.api.depends_on[0]: these wait for each other: api -> api"],
  ["readiness = \"health\"", "4:13 service.api.readiness: found \"health\", which needs the key `health`"],
  ["readiness = \"port\"", "4:13 service.api.readiness: found \"port\", which needs the key `port`"],
  [
    "backoff_base_ms = 70000",
    "4:19 service.api.backoff_base_ms: the first delay, 70000 ms, is longer than the longest, 60000 ms"
  ],
  ["args = [\"{prt}\"]", "4:9 service.api.args[0]: {prt} stands for nothing; did you mean \"port\"?"],
  ["args = [\"{port}\"]", "4:9 service.api.args[0]: {port} needs the key `port`, a number or \"auto\""],
  ["socket = \"{socket}\"", "4:10 service.api.socket: {socket} has no meaning in socket"],
  ["cwd = \"{port}\"", "4:7 service.api.cwd: {port} has no meaning in cwd"],
  ["args = [\"a\\u0000b\"]", "4:9 service.api.args[0]: a NUL character cannot be part of any value"],
  ["socket = \"/tmp/\"", "4:10 service.api.socket: /tmp/ names a folder, allowed: the path of a file"],
  [`socket = "/tmp/${"x".repeat(103)}"`, "has 108 bytes, allowed: at most 107"],
  [`socket = "/tmp/${"é".repeat(52)}"`, "has 109 bytes, allowed: at most 107"],
  [
    "port = 80\ninstances = [\"a\", \"b\"]",
    "4:8 service.api.port: port 80 of api:b is taken by api:a; \"auto\" takes one that is free"
  ],
  ["port = 8000", "4:8 service.api.port: port 8000 of api:default is taken by settings.listen"],
  ["socket = \"/run/tenement/tenement.sock\"", "of api:default is taken by the control socket"],
  ["env_file = \"none.env\"", "4:12 service.api.env_file: /srv/none.env: there is no such file"],
  ["schedule = \"0 3 * * *\"", "4:1 service.api.schedule: this is not available in this version; leave it out"],
  [
    "socket_activation = true\nreadiness = \"socket\"",
    "service.api.readiness: found \"socket\", but with socket_activation that is open before the program runs"
  ],
  [
    "restart_mode = \"rolling\"\nport = 80",
    "service.api.restart_mode: found \"rolling\", but only one run at a time can listen on port 80"
  ]
]

describe("Load.load refuses", () => {
  it.effect.each(refusals)("%s", ([keys, complaint]) =>
    Effect.map(complaints(service(keys)), (all) => {
      assert.strictEqual(all.length, 1, all.join("\n"))
      assert.include(all[0], complaint)
    }))

  it.effect.each<readonly [text: string, complaint: string]>([
    ["", "1:1 : no [service.NAME] is declared; the smallest file that works:\n\n  [service.web]"],
    ["# nothing\n[settings]\n", "1:1 : no [service.NAME] is declared"],
    ["a = \"b", "1:5 : this is no TOML: "],
    ["[service.api]\n[service.api]", "2:2 : this is no TOML: trying to redefine"],
    ["service = 5", "1:11 service: found 5, allowed: a table"],
    ["[service]\ncommand = \"x\"", "2:11 service.command: found \"x\", allowed: a table"],
    ["[[service.api]]\ncommand = \"x\"", "1:1 service.api: found an array, allowed: a table"],
    ["[service.api]\nisolation = \"process\"", "1:1 service.api.command: this key is missing, allowed: a command line"],
    [
      "[service.api]\ncommand = \"x 'y\"\nisolation = \"process\"",
      "2:11 service.api.command: has a ' that is never closed"
    ],
    ["[service.api]\ncommand = \" \"\nisolation = \"process\"", "2:11 service.api.command: names no program"],
    [
      "[service.api]\ncommand = []\nisolation = \"process\"",
      "2:11 service.api.command: found an empty array, allowed: a command line"
    ],
    [
      "[service.api]\ncommand = [\"x\"]\nargs = []\nisolation = \"process\"",
      "2:11 service.api.command: an array is the whole command"
    ],
    [service("[services.b]\ncommand = \"x\""), "4:1 services: unknown key; did you mean \"service\"?"],
    [
      service("[service.Bad]\ncommand = \"x\"\nisolation = \"process\""),
      "4:1 service.Bad: this is no good name, allowed: a service's name"
    ],
    [
      service("[service.__proto__]\ncommand = \"x\"\nisolation = \"process\""),
      "4:1 service.__proto__: this is no good name"
    ],
    [service("[settings]\nlisten = \"8000\""), "5:10 settings.listen: found \"8000\", allowed: HOST:PORT"],
    [service(`[settings]\nrun_dir = "/${"x".repeat(70)}"`), "5:11 settings.run_dir: the path /x"],
    [service(`[settings]\nsocket = "/${"x".repeat(110)}"`), "settings.socket: the path /x"],
    [
      service("[group.g]\nservices = []"),
      "5:12 group.g.services: found an empty array, allowed: a service's name"
    ],
    [
      service("[group.g]\nservices = [\"apj\"]"),
      "5:13 group.g.services[0]: there is no service \"apj\"; did you mean \"api\"?"
    ],
    [
      service("[group.g]\nservices = [\"api\"]\n[group.h]\nservices = [\"api\"]"),
      "7:13 group.h.services[0]: api is in the group g too; it can be in one only (/srv/tenement.toml:5)"
    ],
    [service("[group.g]\nservices = [\"api\", \"api\"]"), "5:20 group.g.services[1]: \"api\" is listed twice"],
    [service("[instances]\napo = []"), "5:1 instances.apo: there is no service \"apo\"; did you mean \"api\"?"],
    [
      service("instances = []\n[instances]\napi = []"),
      "6:1 instances.api: the service has a key `instances` of its own; keep one of them (/srv/tenement.toml:4)"
    ],
    [
      service("[routing]\ndefault = \"app\""),
      "5:11 routing.default: there is no service \"app\"; did you mean \"api\"?"
    ],
    [service("[routing.path]\n\"/api/v1\" = \"api\""), "/api is the supervisor's own; use a subdomain"],
    [service("[routing.path]\nshop = \"api\""), "no path begins like this"],
    [service("[routing.subdomain]\n\"a b\" = \"api\""), "no host has this name"],
    [`include = ["none.toml"]\n${service("")}`, "1:12 include[0]: /srv/none.toml: there is no such file"],
    [`include = ["none/*.toml"]\n${service("")}`, "1:12 include[0]: the folder /srv/none does not exist"],
    [`include = ["**/a.toml"]\n${service("")}`, "1:12 include[0]: ** is not known here"]
  ])("%s", ([text, complaint]) =>
    Effect.map(complaints(text), (all) => {
      assert.strictEqual(all.length, 1, all.join("\n"))
      assert.include(all[0], complaint)
    }))

  it.effect("everything at once, in the order of the lines", () =>
    Effect.map(
      complaints([
        "[settings]",
        "max_restarts = -1",
        "[service.a]",
        "command = \"x 'y\"",
        "isolation = \"process\"",
        "helth = \"/\"",
        "depends_on = [\"b\", \"cc\"]",
        "[service.b]",
        "command = \"x\"",
        "depends_on = [\"a\"]",
        "restart = \"no\""
      ].join("\n")),
      (all) => {
        assert.deepStrictEqual(all.map((line) => line.split(": ")[0]), [
          "2:16 settings.max_restarts",
          "4:11 service.a.command",
          "6:1 service.a.helth",
          "7:15 service.a.depends_on[0]",
          "7:20 service.a.depends_on[1]",
          "11:11 service.b.restart"
        ])
      }
    ))

  it.effect("start orders that contradict each other", () =>
    Effect.map(
      complaints(
        `${service("depends_on = [\"db\"]")}\n[service.db]\ncommand = "x"\nisolation = "process"\n` +
          "[group.g]\nservices = [\"api\", \"db\"]"
      ),
      (all) => {
        assert.strictEqual(all.length, 1)
        assert.include(all[0], "4:15 service.api.depends_on[0]: contradicts the start order of a group: ")
      }
    ))

  it.effect("each cycle once", () =>
    Effect.map(
      complaints(
        ["ab", "ba", "cd", "de", "ec"].map(([name, on]) =>
          `[service.${name}]\ncommand = "x"\nisolation = "process"\ndepends_on = ["${on}"]\n`
        ).join("")
      ),
      (all) => {
        assert.deepStrictEqual(all.map((line) => line.split("other: ")[1]), ["a -> b -> a", "c -> d -> e -> c"])
      }
    ))
})

describe("Load.load fills in", () => {
  it.effect("the defaults", () =>
    Effect.map(loading({ "/srv/tenement.toml": service("") }), ({ file, groups, services, settings }) => {
      assert.strictEqual(file, "/srv/tenement.toml")
      assert.strictEqual(groups.size, 0)
      assert.deepStrictEqual(settings, {
        dataDir: "/var/lib/tenement",
        socket: "/run/tenement/tenement.sock",
        runDir: "/run/tenement-services",
        listen: { host: "127.0.0.1", port: 8000 },
        domain: "localhost",
        syslog: null,
        startConcurrency: 4,
        cgroupRoot: null,
        logMaxBytes: 10 * 1024 * 1024,
        logKeep: 5
      })
      assert.deepStrictEqual([...services.values()], [{
        name: "api",
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
        instances: ["default"],
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
      }] as ReadonlyArray<unknown>)
    }))

  it.effect("the defaults of a user who is not root", () =>
    Effect.map(
      loading({ "/srv/tenement.toml": service("") }, {
        uid: 1000,
        cores: 8,
        stateHome: "/home/ann/.local/state",
        runtimeDir: "/run/user/1000"
      }),
      ({ settings }) => {
        assert.strictEqual(settings.dataDir, "/home/ann/.local/state/tenement")
        assert.strictEqual(settings.socket, "/run/user/1000/tenement.sock")
        assert.strictEqual(settings.runDir, "/run/user/1000/tenement-services")
        assert.strictEqual(settings.startConcurrency, 16)
      }
    ))

  it.effect("the defaults of a user without a folder for sockets: nothing that somebody else could make first", () =>
    Effect.map(
      loading({ "/srv/tenement.toml": service("") }, {
        uid: 1000,
        cores: 8,
        stateHome: "/home/ann/.local/state",
        runtimeDir: null
      }),
      ({ settings }) => {
        assert.strictEqual(settings.socket, "/home/ann/.local/state/tenement/tenement.sock")
        assert.strictEqual(settings.runDir, "/home/ann/.local/state/tenement-services")
      }
    ))

  it.effect("what a service leaves to the settings", () =>
    Effect.map(
      only(
        "[settings]\nhealth_check_interval = 2\nmax_restarts = \"unlimited\"\nrestart_window = \"1m\"\n" +
          "backoff_base_ms = \"1s\"\nbackoff_max_ms = 2000\n" + service("")
      ),
      (api) => {
        assert.strictEqual(api.healthIntervalMs, 2000)
        assert.strictEqual(api.maxRestarts, Infinity)
        assert.strictEqual(api.restartWindowMs, 60_000)
        assert.strictEqual(api.backoffBaseMs, 1000)
        assert.strictEqual(api.backoffMaxMs, 2000)
        assert.strictEqual(api.stableAfterMs, 2000)
        assert.strictEqual(api.source.line, 7)
      }
    ))

  it.effect.each<readonly [keys: string, readiness: string]>([
    ["health = \"/\"", "health"],
    ["health = \"/\"\nsocket = \"/tmp/a\"", "health"],
    ["socket = \"/tmp/a\"", "socket"],
    ["port = 80", "started"],
    ["socket = \"/tmp/a\"\nreadiness = \"notify\"", "notify"]
  ])(
    "readiness where the file says %s",
    ([keys, readiness]) => Effect.map(only(service(keys)), (api) => assert.strictEqual(api.readiness, readiness))
  )

  it.effect.each<readonly [keys: string, part: object]>([
    ["args = [\"a b\", \"\"]", { argv: ["./api", "a b", ""] }],
    ["cwd = \"sub/\"", { cwd: "/srv/sub" }],
    ["cwd = \"{instance_dir}/x\"", { cwd: "{instance_dir}/x" }],
    ["cwd = \"/\"", { cwd: "/" }],
    ["socket = \"./a.sock\"", { socket: "/srv/a.sock" }],
    ["env = { A = 80, B = true, C = '{\"a\":{\"b\":1}}', constructor = \"x\" }", {
      env: { A: "80", B: "true", C: "{\"a\":{\"b\":1}}", constructor: "x" }
    }],
    ["user = 1000\ngroup = \"www-data\"", { user: "1000", group: "www-data" }],
    ["stop_signal = \"INT\"", { stopSignal: "SIGINT" }],
    ["socket_mode = \"660\"", { socketMode: 0o660 }],
    ["stop_timeout = \"1h30m\"", { stopTimeoutMs: 5_400_000 }],
    ["stop_timeout = \"250 millis\"", { stopTimeoutMs: 250 }],
    ["stop_timeout = 0.0015", { stopTimeoutMs: 2 }],
    ["backoff_max_ms = \"2m\"", { backoffMaxMs: 120_000 }],
    ["[instances]\napi = [\"prod\", \"staging\"]", { instances: ["prod", "staging"] }],
    ["instances = []", { instances: [] }]
  ])("%s", ([keys, part]) =>
    Effect.map(only(service(keys)), (api) => {
      for (const [key, value] of Object.entries(part)) assert.deepStrictEqual(api[key as keyof typeof api], value)
    }))

  it.effect("secrets from files, the later one and env counting more", () =>
    Effect.map(
      only(service("env_file = [\"a.env\", \"/etc/b.env\"]\nenv = { C = \"open\" }"), {
        "/srv/a.env": "A=1\nB=1\nC=1\n",
        "/etc/b.env": "export B='2'\n"
      }),
      (api) => {
        assert.deepStrictEqual(api.secrets, { A: "1", B: "2" })
        assert.deepStrictEqual(api.env, { C: "open" })
        assert.deepStrictEqual(api.envFiles, ["/srv/a.env", "/etc/b.env"])
      }
    ))
})

describe("Load.load includes", () => {
  const one = (name: string) => `[service.${name}]\ncommand = "x"\nisolation = "process"\n`

  it.effect("the files that a pattern names, each once, paths being from their own folder", () =>
    Effect.map(
      loading({
        "/srv/tenement.toml": `include = ["services/*.toml", "services/b.toml"]\n${one("main")}`,
        "/srv/services/b.toml": one("b"),
        "/srv/services/a.toml": one("a"),
        "/srv/services/.c.toml": one("c"),
        "/srv/services/d.txt": "no TOML"
      }),
      ({ services }) => {
        assert.deepStrictEqual([...services.keys()], ["main", "a", "b"] as ReadonlyArray<string>)
        assert.deepStrictEqual([...services.values()].map(({ cwd }) => cwd), ["/srv", "/srv/services", "/srv/services"])
      }
    ))

  it.effect("and refuses a service in two of them, naming both places", () =>
    Effect.map(
      complaints(`include = ["a.toml"]\n${one("api")}`, { "/srv/a.toml": `\n${one("api")}` }),
      (all) => assert.deepStrictEqual(all, ["/srv/a.toml:2:1 service.api: declared twice (/srv/tenement.toml:2)"])
    ))

  it.effect("and refuses files that include each other", () =>
    Effect.map(
      complaints(`include = ["a.toml"]\n${one("api")}`, { "/srv/a.toml": "include = [\"./tenement.toml\"]" }),
      (all) => {
        assert.strictEqual(all.length, 1)
        assert.include(all[0], "/srv/a.toml:1:12 include[0]: /srv/tenement.toml: the files include each other")
        assert.include(all[0], "/srv/tenement.toml → /srv/a.toml → /srv/tenement.toml")
      }
    ))

  it.effect("and refuses settings in an included file", () =>
    Effect.map(
      complaints(`include = ["a.toml"]\n${one("api")}`, { "/srv/a.toml": "[settings]\n" }),
      (all) =>
        assert.deepStrictEqual(all, [
          "/srv/a.toml:1:1 settings: belongs in /srv/tenement.toml, which includes this file"
        ])
    ))

  it.effect("and tells what is wrong in all of them", () =>
    Effect.map(
      complaints(`include = ["a.toml", "b.toml"]\n${one("api")}x = 1`, {
        "/srv/a.toml": "= 1",
        "/srv/b.toml": "y = 1"
      }),
      (all) => assert.strictEqual(all.length, 3)
    ))
})

describe("Load.load keeps secrets", () => {
  it.effect("out of what it says of a file that cannot be read", () =>
    Effect.map(
      complaints(service("env_file = \"a.env\""), {
        "/srv/a.env": "OK=hunter2\nhunter2\nA='hunter2\nB=\"x\" hunter2\n1=hunter2\n"
      }),
      (all) => {
        assert.deepStrictEqual(all, [
          "/srv/a.env:2:1 : this is no NAME=VALUE line",
          "/srv/a.env:3:1 : the quote of A is never closed",
          "/srv/a.env:4:1 : there is more after the closing quote of B",
          "/srv/a.env:5:1 : this is no NAME=VALUE line"
        ])
      }
    ))
})
