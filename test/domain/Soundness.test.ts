import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import { formatPath } from "../../src/domain/Fault.ts"
import * as Soundness from "../../src/domain/Soundness.ts"
import * as Embed from "../../src/embed.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"

const faults = (config: TenementConfig) =>
  Soundness.faults(config).map(({ message, path }) => `${formatPath(path)}: ${message}`)

/** A service whose values no compiler has seen. */
const written = (values: object): ServiceConfig => ({
  ...Embed.service({ name: "web", command: "true" }),
  ...values
})

const withService = (values: object) => Embed.config({ services: [written(values)], settings: { dataDir: "/srv/x" } })

describe("Soundness.faults", () => {
  it("finds nothing wrong with what the testkit makes up", () =>
    FastCheck.assert(FastCheck.property(Arbitraries.config(), (config) => {
      assert.deepStrictEqual(faults(config), [])
    })))

  it.each<readonly [values: object, fault: string]>([
    [{ argv: [] }, "service.web.command: names no program"],
    [{ argv: [" "] }, "service.web.command: names no program"],
    [{ argv: ["x", "a\0"] }, "service.web.command[1]: a NUL character cannot be part of any value"],
    [{ argv: ["x", "{prt}"] }, "service.web.command[1]: {prt} stands for nothing; did you mean \"port\"?"],
    [{ argv: ["x", "{port}"] }, "service.web.command[1]: {port} needs the key `port`, a number or \"auto\""],
    [
      { isolation: "sandbox", socketActivation: true },
      "service.web.socketActivation: gVisor cannot be handed a socket that listens; set sandbox_runtime = \"bubblewrap\""
    ],
    [{ cwd: "/{socket}" }, "service.web.cwd: {socket} has no meaning in cwd"],
    [{ env: { A: "{x}" } }, "service.web.env.A: {x} stands for nothing"],
    [{ env: { "A B": "" } }, "service.web.env.\"A B\": this is no good name, allowed: a variable's name"],
    [{ secrets: { "": "x" } }, "service.web.env.\"\": this is no good name"],
    [
      { health: "health" },
      "service.web.health: found \"health\", allowed: a path that begins with / (\"/health\"), or null"
    ],
    [{ port: 0 }, "service.web.port: found 0, allowed: a whole number from 1 to 65535, or \"auto\", or null"],
    [
      { readiness: "health" },
      "service.web.readiness: found \"health\", which needs the key `health`, the path to ask for"
    ],
    [{ readiness: "port" }, "service.web.readiness: found \"port\", which needs the key `port`"],
    [{ readiness: "soon" }, "service.web.readiness: found \"soon\", allowed: \"health\", \"socket\", "],
    [{ stopSignal: "SIGFOO" }, "service.web.stopSignal: found \"SIGFOO\", allowed: a signal's name"],
    [{ stopTimeoutMs: 0.5 }, "service.web.stopTimeoutMs: found 0.5, allowed: whole milliseconds, at most 10 days"],
    [{ healthIntervalMs: 1 }, "service.web.healthIntervalMs: found 1, allowed: whole milliseconds, at least 10 ms"],
    [{ startupTimeoutMs: Infinity }, "service.web.startupTimeoutMs: found Infinity, allowed: whole milliseconds"],
    [{ maxRestarts: -1 }, "service.web.maxRestarts: found -1, allowed: a whole number from 0 to 1000000, or Infinity"],
    [{ backoffJitter: NaN }, "service.web.backoffJitter: found NaN, allowed: a number from 0 to 1"],
    [
      { backoffBaseMs: 5, backoffMaxMs: 2 },
      "service.web.backoffBaseMs: the first delay, 5 ms, is longer than the longest"
    ],
    [{ user: "a b" }, "service.web.user: found \"a b\", allowed: a name or a number, or null"],
    [{ dependsOn: ["wob"] }, "service.web.dependsOn[0]: there is no service \"wob\"; did you mean \"web\"?"],
    [{ dependsOn: ["web"] }, "service.web.dependsOn[0]: these wait for each other: web -> web"],
    [{ instances: ["a", "a"] }, "service.web.instances[1]: \"a\" is listed twice"],
    [{ instances: ["a", "b"], port: 80 }, "service.web.port: port 80 of web:b is taken by web:a"],
    [{ socket: `/${"x".repeat(107)}` }, "has 108 bytes, allowed: at most 107"],
    [{ socket: "/tmp/x/../" }, "service.web.socket: /tmp/ names a folder"]
  ])("%o", (values, fault) => {
    const found = faults(withService(values))
    assert.strictEqual(found.length, 1, found.join("\n"))
    assert.include(found[0], fault)
  })

  it.each<readonly [settings: Embed.SettingsOptions, fault: string]>([
    [{ startConcurrency: 0 }, "settings.startConcurrency: found 0, allowed: a whole number from 1 to 10000"],
    [{ logMaxBytes: 10 }, "settings.logMaxBytes: found 10, allowed"],
    [{ logKeep: -1 }, "settings.logKeep: found -1, allowed"],
    [{ runDir: `/${"x".repeat(70)}` }, "settings.runDir: the path /x"]
  ])("%o", (settings, fault) => {
    const found = faults(
      Embed.config({ services: [], settings: { dataDir: "/srv/x", ...settings } })
    )
    assert.strictEqual(found.length, 1, found.join("\n"))
    assert.include(found[0], fault)
  })

  it("looks at groups", () => {
    const web = Embed.service({ name: "web", command: "true" })
    const found = faults(Embed.config({
      services: [web],
      groups: [
        Embed.group({ name: "a", services: ["web", "web"] }),
        Embed.group({ name: "b", services: ["web"], restartWindowMs: 0 }),
        Embed.group({ name: "c", services: [] }),
        Embed.group({ name: "d", services: ["wob"] })
      ]
    }))
    assert.deepStrictEqual(found.map((line) => line.split(": ")[0]), [
      "group.a.services[1]",
      "group.b.restartWindowMs",
      "group.c.services",
      "group.b.services[0]",
      "group.d.services[0]"
    ])
  })
})

describe("Soundness.check", () => {
  it("tells all of it at once, by the names that a program has for things", () => {
    const checked = Soundness.check(withService({ stopSignal: "SIGFOO", readiness: "health" }))
    if (Either.isRight(checked)) assert.fail("nothing is wrong")
    assert.strictEqual(
      checked.left.message,
      "the program: service.web.stopSignal: found \"SIGFOO\", allowed: a signal's name (\"SIGTERM\", \"SIGINT\", \"SIGQUIT\", …)\n" +
        "the program: service.web.readiness: found \"health\", which needs the key `health`, the path to ask for"
    )
  })

  it("leaves it to a program's own health check what it asks for", () => {
    assert.isTrue(Either.isRight(Soundness.check(withService({ readiness: "health" }), { ownChecks: true })))
    assert.isTrue(Either.isLeft(Soundness.check(withService({ readiness: "port" }), { ownChecks: true })))
  })
})
