/**
 * Hears from nginx what it has served straight from the sockets, so that it is counted as what went through the gateway is.
 * The words are syslog's, in datagrams, which anybody on the machine can send: nothing is counted but for instances that
 * there are, and what nginx has got from the gateway is not, since the gateway has counted it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Dgram from "node:dgram"
import type { Backend } from "../actors/Backend.ts"
import { Tenement } from "../actors/Tenement.ts"
import * as AccessLog from "../domain/AccessLog.ts"
import type { Settings, TenementConfig } from "../domain/Config.ts"
import { type InstanceName, parts, ServiceName } from "../domain/Names.ts"
import * as Upstream from "../domain/Upstream.ts"
import { codeOf } from "../internal/errno.ts"

/**
 * It is not possible to listen there.
 *
 * @since 0.1.0
 * @category errors
 */
export class SyslogFailed extends Schema.TaggedError<SyslogFailed>()("SyslogFailed", {
  where: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `cannot listen for nginx's log on ${this.where} (${this.code}); end what is in the way, or change \`syslog\` in ` +
      "[settings]"
  }
}

const isServiceName = Schema.is(ServiceName)

/** So often the addresses of all instances are gathered at most, whatever comes in. */
const gatherMs = 1000

const open = ({ host, port }: { readonly host: string; readonly port: number }) =>
  Effect.acquireRelease(
    Effect.async<Dgram.Socket, SyslogFailed>((resume) => {
      // The supervisor before this one may listen still, for as long as it finishes what is under way.
      const socket = Dgram.createSocket({ type: host.includes(":") ? "udp6" : "udp4", reuseAddr: true })
      const onError = (error: Error) => resume(new SyslogFailed({ where: `${host}:${port}`, code: codeOf(error) }))
      socket.once("error", onError)
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.off("error", onError)
        resume(Effect.succeed(socket))
      })
    }),
    (socket) => Effect.async<void>((resume) => void socket.close(() => resume(Effect.void)))
  )

/** Where nginx reaches it just now: a route may have moved its path, and a port that is taken anew is known while it runs. */
const addressOf = (settings: Settings, { config, instance, run }: Backend): string | null =>
  Upstream.addressOf(settings, config, parts(instance).id) ??
    (run === null || run.endpoint.port === null ? null : `127.0.0.1:${run.endpoint.port}`)

/** Whose address is whose. */
const directory = Effect.gen(function*() {
  const { config, traffic } = yield* Tenement
  const nothing: ReadonlyMap<string, InstanceName> = new Map()
  let known = { addresses: nothing, at: -Infinity, of: yield* config }

  const gather = (of: TenementConfig) =>
    Effect.gen(function*() {
      const addresses = new Map<string, InstanceName>()
      for (const service of of.services.values()) {
        for (const backend of traffic.backends(service.name, null)) {
          const address = addressOf(of.settings, backend)
          if (address !== null) addresses.set(address, backend.instance)
        }
      }
      known = { addresses, at: performance.now(), of }
    })

  /** Who was found there, if it is still there. */
  const at = (address: string, { settings }: TenementConfig) => {
    const instance = known.addresses.get(address)
    if (instance === undefined) return undefined
    const { id, service } = parts(instance)
    return traffic.backends(service, id).some((backend) => addressOf(settings, backend) === address)
      ? instance
      : undefined
  }

  /** The instance of an address, where there is one now. */
  return (address: string) =>
    Effect.gen(function*() {
      const current = yield* config
      const found = known.of === current ? at(address, current) : undefined
      if (found !== undefined) return found
      // Who was there has moved, or anybody at all has named an address.
      const mayGather = known.addresses.has(address) || performance.now() - known.at >= gatherMs
      if (known.of !== current || mayGather) yield* gather(current)
      return at(address, current)
    })
})

/**
 * Listens for as long as its scope is open.
 *
 * @since 0.1.0
 * @category constructors
 */
export const listen = Effect.fn("Syslog.listen")(
  function*(where: { readonly host: string; readonly port: number }) {
    const { config, traffic } = yield* Tenement
    const instanceAt = yield* directory

    const count = (
      { code, kind, seconds }: AccessLog.Served,
      service: ServiceName,
      instance: InstanceName | null
    ) => {
      traffic.answered({ service, instance, code, seconds })
      if (instance !== null) traffic.seen(instance)
      if (kind !== null) traffic.refused(service, kind)
      traffic.logged("counted")
    }

    const hear = (datagram: Uint8Array) =>
      Effect.gen(function*() {
        const served = Option.flatMap(AccessLog.parse(datagram), AccessLog.served)
        if (Option.isNone(served)) return traffic.logged("malformed")
        const { address, upstream } = served.value
        const instance = yield* instanceAt(address)
        if (instance !== undefined) return count(served.value, parts(instance).service, instance)
        // Nobody could be asked: nginx names the upstream as a whole.
        const { services } = yield* config
        const service = Upstream.serviceOf(upstream)
        return address === upstream && isServiceName(service) && services.has(service)
          ? count(served.value, service, null)
          : traffic.logged("ignored")
      })

    const runtime = yield* Effect.runtime()
    const socket = yield* open(where)
    socket.on("error", (error) => Runtime.runFork(runtime)(Effect.logError("nginx's log met an error", error)))
    socket.on("message", (datagram) => {
      const heard = Runtime.runSync(runtime)(Effect.either(Effect.sandbox(hear(datagram))))
      if (Either.isLeft(heard)) Runtime.runFork(runtime)(Effect.logError("a line met a defect", heard.left))
    })
  }
)
