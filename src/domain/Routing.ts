/**
 * Which service answers which request, by the host and the path that it asks for. What hosts and paths lead to is
 * decided here; whether somebody is there to answer is not.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { InstanceId, type ServiceName } from "./Names.ts"

/**
 * `[routing]`: what the file says beyond the names of services.
 *
 * @since 0.1.0
 * @category models
 */
export interface Routing {
  /** Answers when nothing else fits. */
  readonly default: ServiceName | null
  /** By what stands before the domain. */
  readonly subdomain: Readonly<Record<string, ServiceName>>
  /** By the first segments of the path. */
  readonly path: Readonly<Record<string, ServiceName>>
}

/**
 * Nothing beyond the names of services.
 *
 * @since 0.1.0
 * @category constants
 */
export const none: Routing = { default: null, subdomain: {}, path: {} }

/**
 * Who is asked for.
 *
 * @since 0.1.0
 * @category models
 */
export type Target =
  /** The supervisor itself. */
  | { readonly _tag: "Supervisor" }
  /** Any of the service's instances, each with its share. */
  | { readonly _tag: "Service"; readonly service: ServiceName }
  /** This very instance. */
  | { readonly _tag: "Instance"; readonly service: ServiceName; readonly id: InstanceId }
  | { readonly _tag: "Nobody" }

/**
 * Where a request's host and path lead.
 *
 * @since 0.1.0
 * @category models
 */
export type Table = (host: string, path: string) => Target

/**
 * What the supervisor answers itself at its own names, together with all that is below.
 *
 * @since 0.1.0
 * @category constants
 */
export const reserved: ReadonlyArray<string> = ["/api", "/health", "/metrics"]

/**
 * A host as names are compared: without port, without a last dot, in lower case.
 *
 * @since 0.1.0
 * @category combinators
 */
export const hostname = (host: string): string =>
  isPlain.test(host) ? host : host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase()

/** Nothing is to be done to it. */
const isPlain = /^[\da-z.-]*[\da-z-]$/

/**
 * Whether a path is `prefix` or lies below it. Paths are compared as they are written: segment by segment, nothing
 * decoded.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isBelow = (path: string, prefix: string): boolean => {
  const stem = prefix.endsWith("/") ? prefix.replace(/\/+$/, "") : prefix
  if (!path.startsWith(stem)) return false
  const next = path[stem.length]
  return next === undefined || next === "/" || next === "?"
}

const address = /^(\d{1,3}\.){3}\d{1,3}$|^\[.*\]$/

const isId = Schema.is(InstanceId)

const supervisor: Target = { _tag: "Supervisor" }
const nobody: Target = { _tag: "Nobody" }

/**
 * The table of a configuration. `own` are names of the supervisor beside its addresses and the domain itself.
 *
 * A host below the domain that names a service, or one of its instances, leads there, whatever the path. At any other,
 * the longest prefix of the path counts, then the default. What the supervisor answers itself goes before both at its
 * own names, and what fits nothing there is the supervisor's too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { domain, own, routing, services }: {
    readonly domain: string
    readonly own: ReadonlyArray<string>
    readonly services: Iterable<ServiceName>
    readonly routing: Routing
  }
): Table => {
  const root = hostname(domain)
  const names = new Set([root, ...own.map(hostname)])
  const byName = new Map<string, ServiceName>([...services].map((name) => [name, name]))
  const bySubdomain = new Map(Object.entries(routing.subdomain).map(([name, service]) => [name.toLowerCase(), service]))
  const byPath = Object.entries(routing.path).sort(([a], [b]) => b.length - a.length)

  const below = (subdomain: string): Target | undefined => {
    const service = bySubdomain.get(subdomain) ?? byName.get(subdomain)
    if (service !== undefined) return { _tag: "Service", service }
    const dot = subdomain.indexOf(".")
    const id = subdomain.slice(0, Math.max(dot, 0))
    const owner = byName.get(subdomain.slice(dot + 1))
    return owner !== undefined && isId(id) ? { _tag: "Instance", service: owner, id } : undefined
  }

  const look = (asked: string) => {
    const host = hostname(asked)
    const named = host.endsWith(`.${root}`) ? below(host.slice(0, -root.length - 1)) : undefined
    return { asked, named, isOwn: names.has(host) || address.test(host) }
  }
  /** The host that was asked for last: many requests in a row ask for the same. */
  let last = look("")

  return (asked, path) => {
    if (last.asked !== asked) last = look(asked)
    const { isOwn, named } = last
    if (named !== undefined) return named
    if (isOwn && reserved.some((prefix) => isBelow(path, prefix))) return supervisor
    const service = byPath.find(([prefix]) => isBelow(path, prefix))?.[1] ?? routing.default
    return service !== null ? { _tag: "Service", service } : isOwn ? supervisor : nobody
  }
}

/**
 * One of several by their weights: `at`, from 0 to just below 1, falls on each in proportion. What weighs nothing is
 * never picked.
 *
 * @since 0.1.0
 * @category combinators
 */
export const pick = <A extends { readonly weight: number }>(among: ReadonlyArray<A>, at: number): A | undefined => {
  let rest = at * among.reduce((sum, { weight }) => sum + weight, 0)
  for (const one of among) {
    if (rest < one.weight) return one
    rest -= one.weight
  }
  return undefined
}
