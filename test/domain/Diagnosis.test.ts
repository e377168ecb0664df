import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import * as Diagnosis from "../../src/domain/Diagnosis.ts"
import {
  type Ability,
  type Fact,
  has,
  type HostFacts,
  lacks,
  type NamedFact,
  risks
} from "../../src/domain/HostFacts.ts"
import type { ServiceName } from "../../src/domain/Names.ts"
import * as Embed from "../../src/embed.ts"
import * as Arbitraries from "../../src/testkit/Arbitraries.ts"

const fact: FC.Arbitrary<Fact> = FC.constantFrom(has("there"), risks("doubtful", "look"), lacks("gone", "get it"))

const needs: Readonly<Record<Ability, Partial<ServiceConfig> | null>> = {
  machine: {},
  clock: null,
  logs: {},
  "other users": { group: "www" },
  sd_notify: { readiness: "notify" },
  namespaces: { isolation: "namespace" },
  "user namespaces": null,
  gVisor: { isolation: "sandbox", sandboxRuntime: "gvisor" },
  cgroups: null,
  "memory limits": { memoryLimitBytes: 2 ** 26 },
  "CPU limits": { cpuShares: 50 },
  "pids limits": { pidsLimit: 10 }
}

const record = <A>(of: () => A) =>
  Object.fromEntries(Object.keys(needs).map((name) => [name, of()])) as Record<Ability, A>

const host: FC.Arbitrary<HostFacts> = FC.record({
  abilities: FC.record(record(() => fact)),
  openFiles: FC.oneof(FC.nat(200), FC.constant(1_000_000))
})

const well: HostFacts = { abilities: record(() => has("")), openFiles: 1_000_000 }

const wishes = FC.subarray(Object.values(needs).flatMap((values) => values ?? [])).map((all): Partial<ServiceConfig> =>
  Object.assign({ isolation: "process" }, ...all)
)

const config: FC.Arbitrary<TenementConfig> = Arbitraries.config({ maxSize: 6 }).chain((config) =>
  FC.tuple(
    ...[...config.services].map(([name, service]) => wishes.map((wish) => [name, { ...service, ...wish }] as const))
  )
    .map((services) => ({ ...config, services: new Map<ServiceName, ServiceConfig>(services) }))
)

const site: FC.Arbitrary<Diagnosis.Site> = config.chain((config) =>
  FC.array(
    FC.record({
      about: FC.constantFrom("command", "run_dir"),
      fact,
      services: FC.subarray([...config.services.keys()])
    })
  )
    .map((named) => ({ config, named }))
)

/** A file with those services alone. */
const only = ({ config, named }: Diagnosis.Site, keeps: (name: ServiceName) => boolean): Diagnosis.Site => ({
  config: { ...config, services: new Map([...config.services].filter(([name]) => keeps(name))) },
  named: named.map((one) => ({ ...one, services: one.services.filter(keeps) }))
})

const law = (holds: (host: HostFacts, site: Diagnosis.Site) => void) => () => FC.assert(FC.property(host, site, holds))

const errors = (host: HostFacts, site: Diagnosis.Site | null) => Diagnosis.errors(Diagnosis.findings(host, site))

describe("Diagnosis.findings", () => {
  it("finds no error where nothing is asked for", () =>
    FC.assert(FC.property(host, (host) => assert.deepStrictEqual(errors(host, null), []))))

  it(
    "finds no error on a machine that lacks nothing",
    law((_, site) => {
      const named = site.named.map((one): NamedFact => ({
        ...one,
        fact: one.fact._tag === "Lacks" ? has("") : one.fact
      }))
      assert.deepStrictEqual(errors(well, { ...site, named }), [])
    })
  )

  it(
    "names somebody of the file in every error, and says how to mend whatever is not well",
    law((host, site) => {
      for (const { level, mend, services } of Diagnosis.findings(host, site)) {
        assert.strictEqual(mend === null, level === "ok")
        if (level === "error") assert.isNotEmpty(services)
        for (const name of services) assert.isTrue(site.config.services.has(name))
      }
    })
  )

  it(
    "finds no error for a file without the services that it named",
    law((host, site) => {
      const concerned = new Set(errors(host, site).flatMap(({ services }) => services))
      assert.deepStrictEqual(errors(host, only(site, (name) => !concerned.has(name))), [])
    })
  )

  it(
    "finds an error for each service that it named where that is alone, if it is not for their number",
    law((host, site) => {
      const roomy = { ...host, openFiles: 1_000_000 }
      for (const error of errors(roomy, site)) {
        for (const name of error.services) {
          const alone = errors(roomy, only(site, (other) => other === name))
          assert.deepInclude(alone, { ...error, services: [name] })
        }
      }
    })
  )

  it(
    "tells of each ability whether the machine has it, whoever needs it",
    law((host, site) => {
      const seen = Diagnosis.findings(host, site)
      for (const [about, fact] of Object.entries(host.abilities)) {
        const found = seen.filter((one) => one.about === about)
        assert.deepStrictEqual(found.map(({ level, what }) => [level === "ok", what]), [[
          fact._tag === "Has",
          fact.what
        ]])
      }
    })
  )

  it(
    "wants files for every instance, and no more than there are",
    law((host, site) => {
      const instances = [...site.config.services.values()].reduce((sum, service) => sum + service.instances.length, 0)
      const isShort = errors(host, site).some(({ about }) => about === "open files")
      assert.strictEqual(isShort, instances > 0 && host.openFiles < Diagnosis.filesFor(instances))
    })
  )

  it.each(Object.entries(needs))(
    "knows who needs %s: those with %j",
    (about, values) =>
      FC.assert(FC.property(Arbitraries.services({ maxSize: 1 }), ([service]) => {
        const bare = { ...well, abilities: { ...well.abilities, [about]: lacks("gone", "get it") } }
        const found = (values: Partial<ServiceConfig>) => {
          const services = [{ ...service!, isolation: "process" as const, ...values }]
          return errors(bare, { config: Embed.config({ services, settings: { dataDir: "/nonexistent" } }), named: [] })
        }
        const isForAll = values !== null && Object.keys(values).length === 0
        assert.deepStrictEqual(found(values ?? {}).map(({ about }) => about), values === null ? [] : [about])
        assert.lengthOf(found({}), isForAll ? 1 : 0)
      }))
  )
})
