import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as FC from "effect/FastCheck"
import { InstanceId, ServiceName } from "../../src/domain/Names.ts"
import * as Routing from "../../src/domain/Routing.ts"

const service = Arbitrary.make(ServiceName)
const id = Arbitrary.make(InstanceId)
const segment = FC.stringMatching(/^[a-z0-9%._-]{1,8}$/)
const path = FC.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`)
const domain = FC.constantFrom("localhost", "example.com", "Shop.Example.org")
const host = FC.oneof(
  FC.constantFrom("127.0.0.1", "[::1]", "localhost", "example.com", "evil.example", "", "a.b.c", ":80", "..", "."),
  FC.string()
)

/** As somebody may write it. */
const spelled = (host: string) =>
  FC.tuple(FC.boolean(), FC.boolean(), FC.option(FC.nat(65_535))).map(([loud, dot, port]) =>
    `${loud ? host.toUpperCase() : host}${dot ? "." : ""}${port === null ? "" : `:${port}`}`
  )

const services = FC.uniqueArray(service, { minLength: 1, maxLength: 5 })

const config = FC.tuple(domain, services).chain(([domain, services]) =>
  FC.record({
    domain: FC.constant(domain),
    own: FC.constant(["localhost"]),
    services: FC.constant(services),
    routing: FC.record({
      default: FC.option(FC.constantFrom(...services)),
      subdomain: FC.dictionary(segment.map((name) => `sub-${name}`), FC.constantFrom(...services), { maxKeys: 3 }),
      path: FC.dictionary(
        path.filter((path) => !Routing.reserved.some((own) => Routing.isBelow(path, own))),
        FC.constantFrom(...services),
        { maxKeys: 4 }
      )
    })
  })
)

describe("names below the domain", () => {
  it.prop(
    "lead to their service, and an id before them to that instance, whatever the path and the spelling",
    [
      config.chain((config) =>
        FC.tuple(FC.constant(config), FC.constantFrom(...config.services), id).chain(([config, service, id]) =>
          FC.tuple(
            FC.constant({ config, service, id }),
            spelled(`${service}.${config.domain}`),
            spelled(`${id}.${service}.${config.domain}`)
          )
        )
      ),
      path
    ],
    ([[{ config, id, service }, ofService, ofInstance], path]) => {
      const table = Routing.make(config)
      assert.deepStrictEqual(table(ofService, path), { _tag: "Service", service })
      assert.deepStrictEqual(table(ofInstance, path), { _tag: "Instance", service, id })
    }
  )

  it.prop("lead where [routing.subdomain] says, before services of that name", [config, path, service, service], (
    [config, path, alias, other]
  ) => {
    const subdomain = { [alias]: other, "two.labels": other }
    const table = Routing.make({ ...config, services: [alias, other], routing: { ...config.routing, subdomain } })
    for (const name of Object.keys(subdomain)) {
      assert.deepStrictEqual(table(`${name}.${config.domain}`, path), { _tag: "Service", service: other })
    }
  })
})

describe("any host and path", () => {
  it.prop("lead to a service that there is, or to the supervisor, or to nobody", [config, host, path], (
    [config, host, path]
  ) => {
    const target = Routing.make(config)(host, path)
    if (target._tag === "Service" || target._tag === "Instance") assert.include(config.services, target.service)
    if (target._tag === "Nobody") assert.isNull(config.routing.default)
  })

  it.prop("lead to the supervisor by its own names alone", [config, host, path], ([config, host, path]) => {
    if (Routing.make(config)(host, path)._tag !== "Supervisor") return
    const names = ["localhost", Routing.hostname(config.domain), "127.0.0.1", "[::1]"]
    const found = Routing.hostname(host)
    assert.isTrue(names.includes(found) || /^\[.*\]$|^[\d.]+$/.test(found), host)
  })

  it.prop("lead to the supervisor at its names for what it answers itself", [
    config,
    FC.constantFrom("127.0.0.1:8000", "[::1]", "localhost"),
    FC.constantFrom(...Routing.reserved),
    FC.constantFrom("", "/", "?a=b", "/instances")
  ], ([config, host, prefix, rest]) => {
    const greedy = { ...config, routing: { ...config.routing, path: { "/": config.services[0]! } } }
    assert.deepStrictEqual(Routing.make(greedy)(host, prefix + rest), { _tag: "Supervisor" })
  })
})

describe("prefixes of paths", () => {
  const elsewhere = "elsewhere.example.net"

  it.prop("the longest that is whole segments counts, then the default", [config, path], ([config, path]) => {
    const fitting = Object.keys(config.routing.path).filter((prefix) => {
      const wanted = prefix.split("/").filter((part) => part !== "")
      return wanted.every((part, index) => path.split("/").slice(1)[index] === part)
    })
    const longest = fitting.toSorted((a, b) => b.length - a.length)[0]
    const service = longest === undefined ? config.routing.default : config.routing.path[longest]!
    assert.deepStrictEqual(
      Routing.make(config)(elsewhere, path),
      service === null ? { _tag: "Nobody" } : { _tag: "Service", service }
    )
  })

  it.prop("a query is no part of a path", [config, path, path], ([config, path, query]) => {
    const table = Routing.make(config)
    assert.deepStrictEqual(table(elsewhere, `${path}?${query}`), table(elsewhere, path))
  })
})

describe("pick", () => {
  const weights = FC.array(FC.nat(20), { maxLength: 8 })

  it.prop("each gets exactly its share", [weights], ([weights]) => {
    const among = weights.map((weight, index) => ({ weight, index }))
    const sum = weights.reduce((a, b) => a + b, 0)
    const counts = weights.map(() => 0)
    for (let step = 0; step < sum; step++) counts[Routing.pick(among, (step + 0.5) / sum)!.index]! += 1
    assert.deepStrictEqual(counts, weights)
  })

  it.prop("somebody is picked if anybody weighs something, and nobody who does not", [
    weights,
    FC.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  ], ([weights, at]) => {
    const picked = Routing.pick(weights.map((weight) => ({ weight })), at)
    if (weights.every((weight) => weight === 0)) assert.isUndefined(picked)
    else assert.isAbove(picked!.weight, 0)
  })
})
