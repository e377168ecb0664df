/**
 * What each route does: hardly more than to ask the tree.
 *
 * @since 0.1.0
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Tenement } from "../actors/Tenement.ts"
import { defaultId, type InstanceName } from "../domain/Names.ts"
import type { EventRecord, LogLine } from "../domain/Views.ts"
import { matches } from "../internal/pattern.ts"
import { Transport } from "./Access.ts"
import { Api } from "./Api.ts"
import { Body } from "./Body.ts"
import { ConfigSource } from "./ConfigSource.ts"
import * as ConfigView from "./ConfigView.ts"
import { BadRequest, NotReplaced } from "./Errors.ts"
import * as Follow from "./Follow.ts"
import { badRequest } from "./Middleware.ts"
import * as Payloads from "./Payloads.ts"
import { placeName, placeOf, type Selection, sinceMillis } from "./Queries.ts"
import { Replacement } from "./Replacement.ts"
import * as Sse from "./Sse.ts"

const supervisor = (version: string) =>
  HttpApiBuilder.group(Api, "supervisor", (handlers) =>
    Effect.gen(function*() {
      const tenement = yield* Tenement
      const startedAt = yield* Clock.currentTimeMillis
      return handlers
        .handle("health", () =>
          Effect.gen(function*() {
            const instances: Record<string, number> = {}
            for (const { state } of yield* tenement.list) instances[state] = (instances[state] ?? 0) + 1
            const uptimeSeconds = ((yield* Clock.currentTimeMillis) - startedAt) / 1000
            return { status: "ok", version, pid: process.pid, uptimeSeconds, instances }
          }))
        .handleRaw("metrics", () =>
          Effect.map(
            tenement.metrics,
            ({ body, contentType }) => HttpServerResponse.text(body, { contentType })
          ))
    }))

const wrongPattern = (message: string) => new BadRequest({ issues: [{ at: "grep", message }] })
const tooSlow = wrongPattern("this pattern takes too long; one without nested repetition is quick")

// A line on which patterns that backtrack without end give themselves away before there is any answer.
const trial = `${"a".repeat(40)}!`

const compile = (grep: string) =>
  Effect.try({ try: () => new RegExp(grep), catch: () => wrongPattern("this is not a regular expression") }).pipe(
    Effect.tap((pattern) => matches(pattern, [trial])),
    Effect.catchTag("PatternTooSlow", () => tooSlow)
  )

/** The query in the terms of the layers. */
const resolve = Effect.fnUntraced(function*({ follow, grep, since, tail }: Selection) {
  const now = yield* Clock.currentTimeMillis
  return {
    tail: tail ?? null,
    sinceMs: since === undefined ? null : Option.getOrNull(sinceMillis(since, now)),
    grep: grep === undefined ? null : yield* compile(grep),
    follow: follow ?? false
  }
})

const lineFrame = (idOf: (line: LogLine) => number | string) => (line: LogLine) =>
  Sse.encode({ event: "LogLine", id: idOf(line), data: JSON.stringify(line) })
const eventFrame = (event: EventRecord) => Sse.encode({ event: event._tag, id: event.seq, data: JSON.stringify(event) })

/** Where a reader goes on. What it says itself goes before what its browser says. */
const placesAfter = Effect.fnUntraced(
  function*(asked: ReadonlyArray<string>, nameOf: (lastEventId: string) => string) {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const lastEventId = headers["last-event-id"]
    const names = asked.length > 0 || lastEventId === undefined ? asked : [nameOf(lastEventId)]
    return new Map(names.flatMap((name) => Option.toArray(placeOf(name))))
  }
)

const logs = Effect.fnUntraced(function*(
  instances: ReadonlyArray<InstanceName>,
  selection: Selection,
  after: ReadonlyMap<InstanceName, number>,
  idOf: (line: LogLine) => number | string
) {
  const tenement = yield* Tenement
  const query = yield* resolve(selection)
  // A stream that follows has begun before it can fail: so this is asked first.
  for (const name of instances) yield* tenement.describe(name)
  const lines = Stream.mapError(
    tenement.logs({ instances, after, ...query }),
    (error) => error._tag === "LogsFailed" && error.code === "ETIMEDOUT" ? tooSlow : error
  )
  return yield* Follow.respond(lines, { follow: query.follow, frame: lineFrame(idOf) })
})

const matching = <E>(events: Stream.Stream<EventRecord, E>, grep: RegExp) =>
  Stream.mapChunksEffect(events, (chunk) => {
    const all = Chunk.toReadonlyArray(chunk)
    return matches(grep, all.map((event) => JSON.stringify(event))).pipe(
      Effect.map((wanted) => Chunk.unsafeFromArray(all.filter((_, index) => wanted[index] === true))),
      Effect.catchTag("PatternTooSlow", () => tooSlow)
    )
  })

/** The newest `tail` of those that match: so all that are kept are looked at, and then those after them. */
const grepped = Effect.fnUntraced(function*({ follow, grep, sinceMs, tail }: {
  readonly tail: number | null
  readonly sinceMs: number | null
  readonly grep: RegExp
  readonly follow: boolean
}) {
  const tenement = yield* Tenement
  const kept = yield* Stream.runCollect(tenement.events({ tail: null, sinceMs, follow: false }))
  const past = yield* Stream.runCollect(matching(Stream.fromChunk(kept), grep))
  const last = Option.match(Chunk.last(kept), { onNone: () => 0, onSome: ({ seq }) => seq })
  const coming = Stream.filter(tenement.events({ tail: null, sinceMs, follow }), ({ seq }) => seq > last)
  return Stream.concat(
    Stream.fromChunk(tail === null ? past : Chunk.takeRight(past, tail)),
    follow ? matching(coming, grep) : Stream.empty
  )
})

const events = Effect.fnUntraced(function*(selection: Selection) {
  const tenement = yield* Tenement
  const { grep, ...query } = yield* resolve(selection)
  const items = grep === null ? tenement.events(query) : yield* grepped({ grep, ...query })
  return yield* Follow.respond(items, { follow: query.follow, frame: eventFrame })
})

/** What the body says. The middleware has read it: HttpApi would read one of any size, and take a broken one for a defect. */
const bodyAs = <A, I>(schema: Schema.Schema<A, I>) => {
  const decode = Schema.decodeUnknown(schema)
  return Effect.flatMap(Body, decode).pipe(
    Effect.catchTag("ParseError", (error) => badRequest(ParseResult.ArrayFormatter.formatErrorSync(error)))
  )
}

const spawnBody = bodyAs(Payloads.Spawn)
const deployBody = bodyAs(Payloads.Deploy)
const weighBody = bodyAs(Payloads.Weigh)
const upgradeBody = bodyAs(Payloads.Upgrade)

/** Who holds a token may do everything with instances; which program is the supervisor is not theirs to say. */
const overSocket = Effect.flatMap(Transport, (transport) =>
  transport === "socket"
    ? Effect.void
    : new NotReplaced({ reason: "this can be asked over the control socket alone" }))

const instances = HttpApiBuilder.group(Api, "instances", (handlers) =>
  Effect.gen(function*() {
    const tenement = yield* Tenement
    return handlers
      .handle("list", () => tenement.list)
      .handleRaw(
        "spawn",
        () => Effect.flatMap(spawnBody, ({ id, service }) => tenement.spawn(service, id ?? defaultId))
      )
      .handle("describe", ({ path }) => tenement.describe(path.name))
      .handle("remove", ({ path, urlParams }) => tenement.remove(path.name, { data: urlParams.data ?? false }))
      .handle("start", ({ path }) => tenement.start(path.name))
      .handle("stop", ({ path }) => tenement.stop(path.name))
      .handle("restart", ({ path }) => tenement.restart(path.name))
      .handle("route", ({ path, urlParams }) => tenement.route(path.name, { keep: urlParams.keep ?? false }))
      .handleRaw(
        "weigh",
        ({ path }) =>
          Effect.flatMap(weighBody, ({ weight }) =>
            Effect.map(tenement.weigh(path.name, weight), (weight) => ({ weight })))
      )
      .handle("probe", ({ path }) =>
        tenement.probe(path.name))
      .handleRaw("logs", ({ path: { name }, urlParams: { after, ...selection } }) =>
        Effect.flatMap(
          placesAfter(after === undefined ? [] : [placeName(name, after)], (seq) => `${name}=${seq}`),
          (places) => logs([name], selection, places, ({ seq }) => seq)
        ))
  }))

const tree = HttpApiBuilder.group(Api, "tree", (handlers) =>
  Effect.gen(function*() {
    const tenement = yield* Tenement
    const source = yield* ConfigSource
    const replacement = yield* Replacement
    return handlers
      .handleRaw("logs", ({ urlParams: { after, instance, ...selection } }) =>
        Effect.flatMap(
          placesAfter(after ?? [], (name) => name),
          (places) => logs(instance ?? [], selection, places, (line) => placeName(line.instance, line.seq))
        ))
      .handleRaw("events", ({ urlParams }) => events(urlParams))
      .handleRaw("deploy", () =>
        Effect.flatMap(deployBody, ({ command = null, id, service, share = null }) =>
          tenement.deploy({ service, id, argv: command, share })))
      .handle("tree", () =>
        tenement.tree)
      .handle("config", () =>
        Effect.map(tenement.config, ConfigView.make))
      .handle("reload", ({ urlParams }) =>
        Effect.flatMap(source.load, (next) =>
          tenement.reload(next, { dryRun: urlParams.dryRun ?? false })))
      .handleRaw("upgrade", () =>
        Effect.zipRight(overSocket, Effect.flatMap(upgradeBody, replacement.upgrade)))
      .handle("leave", () =>
        Effect.zipRight(overSocket, Effect.as(replacement.leave, { pid: process.pid })))
      .handle("openapi", () => Effect.sync(() => OpenApi.fromApi(Api)))
  }))

/**
 * All routes. `version` is what `/health` tells.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (version: string) => Layer.mergeAll(supervisor(version), instances, tree)
