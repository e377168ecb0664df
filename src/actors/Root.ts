/**
 * What can be asked of the running tree. Brings it up, answers for it, and takes it down in order.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Cause } from "../domain/Cause.ts"
import type { TenementConfig } from "../domain/Config.ts"
import * as ConfigDiff from "../domain/ConfigDiff.ts"
import { elapsed } from "../domain/Instant.ts"
import { type InstanceName, parts } from "../domain/Names.ts"
import { nearest } from "../domain/Nearest.ts"
import * as Soundness from "../domain/Soundness.ts"
import type { Outcome, ReloadPlan } from "../domain/Views.ts"
import { Events } from "../layers/Events.ts"
import { Logs } from "../layers/Logs.ts"
import { Metrics } from "../layers/Metrics.ts"
import { Store } from "../layers/Store.ts"
import { Usage } from "../layers/Usage.ts"
import type { Arrival } from "./Arrivals.ts"
import * as Deployments from "./Deployments.ts"
import type { ActorLost } from "./Errors.ts"
import { HandedOver, NoSuchInstance, NotReady, NotRunning, ReloadRefused, ShuttingDown } from "./Errors.ts"
import type * as Instance from "./Instance.ts"
import type { Needs } from "./InstanceCommands.ts"
import type { ServicesFor } from "./InstanceParts.ts"
import * as Now from "./Now.ts"
import * as OpenRequests from "./OpenRequests.ts"
import * as Overview from "./Overview.ts"
import * as Reload from "./Reload.ts"
import * as Roster from "./Roster.ts"
import { Tenement } from "./Tenement.ts"
import * as Tree from "./Tree.ts"

/**
 * The tree of a configuration. Nothing is started before `boot` is called; everything is stopped, in order, when the layer
 * is released.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerStopped = (
  config: TenementConfig,
  services: ServicesFor
): Layer.Layer<Tenement, never, Needs | Usage> =>
  Layer.scoped(
    Tenement,
    Effect.gen(function*() {
      const events = yield* Events
      const logs = yield* Logs
      const metrics = yield* Metrics
      const usage = yield* Usage
      const store = yield* Store
      const tree = yield* Tree.make({ config, services })
      // One change of the tree's shape at a time.
      const reshaping = yield* Effect.makeSemaphore(1)
      let shuttingDown = false
      let leaving = false

      const notice = (level: "info" | "warning" | "error", message: string) =>
        events.publish({ _tag: "Notice", level, subject: "supervisor", message })

      const open = Effect.suspend((): Effect.Effect<void, HandedOver | ShuttingDown> =>
        leaving ? Effect.fail(new HandedOver()) : shuttingDown ? Effect.fail(new ShuttingDown()) : Effect.void
      )

      const find = (name: InstanceName) =>
        Effect.gen(function*() {
          const found = yield* tree.find(name)
          if (Option.isSome(found)) return found.value
          const names = (yield* tree.instances).map((instance) => instance.name)
          return yield* new NoSuchInstance({ instance: name, nearest: nearest(name, names) })
        })

      const { describe, viewOf, views } = Overview.make({
        events,
        find,
        logs,
        tree,
        usage,
        warn: (message) => notice("warning", message)
      })

      /** Whoever asked an instance that was removed meanwhile asked for nothing that there is. */
      const removedMeanwhile = (instance: Instance.Instance, lost: ActorLost) =>
        Effect.gen(function*() {
          if (leaving) return yield* new HandedOver()
          const found = yield* tree.find(instance.name)
          const isThere = Option.isSome(found) && found.value === instance && !(yield* instance.isOver)
          return yield* isThere ? lost : new NoSuchInstance({ instance: instance.name, nearest: null })
        })

      const ask = (instance: Instance.Instance, verb: Instance.Verb, cause: Cause) =>
        Effect.gen(function*() {
          if (verb !== "Stop") {
            yield* tree.resetFailed(parts(instance.name).service)
          }
          const settled = yield* instance.ask(verb, cause).pipe(
            Effect.catchTag("ActorLost", (lost) => removedMeanwhile(instance, lost))
          )
          const view = yield* viewOf(instance)
          if (settled._tag === "NotReady") {
            return yield* new NotReady({ instance: view, reason: settled.reason })
          }
          return { instance: view, changed: settled.changed, forced: settled.forced } satisfies Outcome
        })

      const change = (verb: Instance.Verb, word: "start" | "stop" | "restart") =>
        Effect.fn(`Tenement.${word}`)(function*(name: InstanceName) {
          yield* open
          return yield* ask(yield* find(name), verb, { _tag: "Person", verb: word })
        })

      const { obtain, remove, spawn } = Roster.make({
        ask,
        find,
        logs,
        open,
        removedMeanwhile,
        reshaping,
        store,
        tree,
        viewOf
      })

      const deployments = Deployments.make({
        tree,
        remove,
        find: (name) => Effect.zipRight(open, find(name)),
        ask: (instance, verb, word) => ask(instance, verb, { _tag: "Person", verb: word }),
        obtain
      })

      const reload = Effect.fn("Tenement.reload")(
        function*(next: TenementConfig, { dryRun }: { readonly dryRun: boolean }) {
          const reshape = Effect.gen(function*() {
            yield* open
            // A file has been checked for more than this when it was read.
            yield* Soundness.check(next, { ownChecks: true })
            const diff = ConfigDiff.diff(yield* tree.config, next)
            if (diff.settings.length > 0) {
              return yield* new ReloadRefused({ keys: diff.settings.map(({ key }) => `settings.${key}`) })
            }
            const changes = Reload.changes(diff)
            if (dryRun) return { changes, problems: Effect.succeed([]) }
            // Of what it begins nothing could be kept while the disk is full.
            yield* Effect.zipRight(store.put("reload", next.file), store.flushed)
            yield* notice("info", `reloading ${next.file}: ${changes.length} changes`)
            return { changes, problems: yield* tree.adopt(next, diff, Effect.sync(() => shuttingDown)) }
          })
          // Half a reload would be neither the old file nor the new one; the wait after it can be given up.
          return yield* Effect.uninterruptibleMask((restore) =>
            Effect.gen(function*() {
              const { changes, problems } = yield* reshaping.withPermits(1)(reshape)
              const plan: ReloadPlan = {
                file: next.file,
                changes,
                applied: !dryRun,
                problems: yield* restore(problems)
              }
              return plan
            })
          )
        }
      )

      const probe = Effect.fn("Tenement.probe")(function*(name: InstanceName) {
        const { endpoint, parts: made } = yield* Effect.flatMap(find(name), ({ snapshot }) => snapshot)
        if (!made.health.watches) {
          const reason = "it has no health check; set `health` to a path in the file"
          return yield* new NotRunning({ instance: name, reason })
        }
        if (endpoint === null) return yield* new NotRunning({ instance: name, reason: "it is not running" })
        const begun = yield* Now.now
        const result = yield* Effect.either(made.health.probe(endpoint))
        return {
          instance: name,
          healthy: result._tag === "Right",
          detail: result._tag === "Right" ? result.right : result.left.detail,
          milliseconds: Math.round(elapsed(begun, yield* Now.now) * 10) / 10
        }
      })

      const gone = Effect.succeed<Arrival>({
        _tag: "TurnedAway",
        reason: "it is not there any more",
        retryAfterMs: 1000
      })

      const mono = Now.mono(yield* Effect.clock)
      /** It is not idle. */
      const seen = (name: InstanceName) => {
        const { id, service } = parts(name)
        for (const { run } of tree.traffic.backends(service, id)) {
          if (run !== null) OpenRequests.touch(run.requests, mono())
        }
      }

      yield* notice("info", `supervisor started with ${config.file}`)
      /** What another has taken over is not this one's to stop. */
      const orNever = <A>(effect: Effect.Effect<A>) => Effect.suspend(() => leaving ? Effect.never : effect)
      const shutdown = yield* Effect.cached(Effect.gen(function*() {
        shuttingDown = true
        yield* notice("info", "supervisor is shutting down")
        const left = yield* reshaping.withPermits(1)(tree.shutdown)
        if (left.length > 0) yield* notice("error", `could not be stopped, and is left behind: ${left.join(", ")}`)
        return left
      }))
      // Last to be added, so the first to happen: everything that the tree needs is still there.
      yield* Effect.addFinalizer(() => orNever(shutdown))

      const leave = Effect.fn("Tenement.leave")((atLast: Effect.Effect<void>) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function*() {
            yield* restore(reshaping.take(1))
            const refused = shuttingDown ? Effect.fail(new ShuttingDown()) : Effect.void
            // What cannot be written down cannot be taken over either.
            yield* Effect.zipRight(refused, store.flushed).pipe(Effect.onError(() => reshaping.release(1)))
            leaving = true
            yield* atLast
            yield* notice("info", "supervisor makes way for another")
            yield* tree.leave
            yield* store.seal
          })
        )
      )

      return Tenement.of({
        list: Effect.map(views, ({ all }) => all),
        describe,
        spawn,
        start: change("Start", "start"),
        stop: change("Stop", "stop"),
        restart: change("Restart", "restart"),
        ...deployments,
        remove,
        probe,
        logs: (query) =>
          Stream.unwrap(Effect.as(Effect.forEach(query.instances, find, { discard: true }), logs.read(query))),
        events: events.read,
        tree: tree.print,
        boot: reshaping.withPermits(1)(
          Effect.uninterruptible(Effect.suspend(() => shuttingDown ? Effect.void : tree.boot))
        ),
        shutdown: orNever(shutdown),
        leave,
        attach: tree.attach,
        config: tree.config,
        reload,
        traffic: {
          ...tree.traffic,
          answered: metrics.answered,
          seen,
          arrive: (name) =>
            Effect.flatMap(
              Effect.orElseSucceed(Effect.zipRight(open, Effect.map(find(name), ({ arrival }) => arrival)), () => gone),
              (arrival) => arrival
            ),
          refused: metrics.refused,
          logged: metrics.logged
        },
        metrics: Effect.flatMap(
          views,
          ({ all, used }) => metrics.render(all, new Map([...used].map(([name, { cpuSeconds }]) => [name, cpuSeconds])))
        )
      })
    })
  )
