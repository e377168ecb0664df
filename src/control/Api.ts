/**
 * The API, defined once: the server implements it, the command line's client is derived from it, and so is the OpenAPI
 * document.
 *
 * @since 0.1.0
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Refusals from "../actors/Errors.ts"
import * as ConfigErrors from "../config/Errors.ts"
import * as DomainErrors from "../domain/Errors.ts"
import { InstanceName } from "../domain/Names.ts"
import * as Views from "../domain/Views.ts"
import * as LayerErrors from "../layers/Errors.ts"
import * as Errors from "./Errors.ts"
import * as Payloads from "./Payloads.ts"
import * as Queries from "./Queries.ts"

const BadRequest = Errors.onWire(Errors.BadRequest, 400)
const NoSuchService = Errors.onWire(Refusals.NoSuchService, 404)
const NoSuchInstance = Errors.onWire(Refusals.NoSuchInstance, 404)
const NotReady = Errors.onWire(Refusals.NotReady, 409)
const NotRunning = Errors.onWire(Refusals.NotRunning, 409)
const ReloadRefused = Errors.onWire(Refusals.ReloadRefused, 409)
const ConfigInvalid = Errors.onWire(DomainErrors.ConfigInvalid, 422)
const ConfigNotFound = Errors.onWire(ConfigErrors.ConfigNotFound, 422)
const Busy = Errors.onWire(Refusals.Busy, 429)
const ActorLost = Errors.onWire(Refusals.ActorLost, 500)
const LogsFailed = Errors.onWire(LayerErrors.LogsFailed, 500)
const DataLeft = Errors.onWire(Refusals.DataLeft, 500)
const StoreFailed = Errors.onWire(LayerErrors.StoreFailed, 507)
const ShuttingDown = Errors.onWire(Refusals.ShuttingDown, 503)
const HandedOver = Errors.onWire(Refusals.HandedOver, 503)
const NotReplaced = Errors.onWire(Errors.NotReplaced, 409)

/**
 * Asked of whoever comes in over TCP. The control socket asks nothing: who may open the file may do everything.
 *
 * @since 0.1.0
 * @category tags
 */
export class Authorization extends HttpApiMiddleware.Tag<Authorization>()("tenement/control/Authorization", {
  failure: Errors.onWire(Errors.Unauthorized, 401),
  security: { token: HttpApiSecurity.bearer }
}) {}

/**
 * Why a stream ends before its time: sent as its last event, named `error`.
 *
 * @since 0.1.0
 * @category errors
 */
export const StreamFailure = Schema.Union(
  BadRequest,
  LogsFailed,
  NoSuchInstance,
  ShuttingDown,
  HandedOver,
  Errors.onWire(Errors.InternalError, 500)
)
/** @since 0.1.0 */
export type StreamFailure = typeof StreamFailure.Type

const ByName = Schema.Struct({ name: InstanceName })

// The body is a stream, which HttpApi cannot describe: its schema says "nothing", so that the derived client leaves the
// body unread for Client.ts to follow, and the document is told what really comes.
const EventStream = HttpApiSchema.Empty(200)
const streaming = (item: string) =>
  OpenApi.annotations({
    transform: (operation) => ({
      ...operation,
      responses: {
        ...operation["responses"],
        200: {
          description: `Server-sent events, each one ${item} as JSON in \`data\``,
          content: { "text/event-stream": { schema: { $ref: `#/components/schemas/${item}` } } }
        }
      }
    })
  })

const describing = (text: string) => OpenApi.annotations({ description: text })

const supervisor = HttpApiGroup.make("supervisor")
  .add(HttpApiEndpoint.get("health", "/health").addSuccess(Payloads.Health))
  .add(
    HttpApiEndpoint.get("metrics", "/metrics").addSuccess(
      HttpApiSchema.Text({ contentType: "text/plain; version=0.0.4; charset=utf-8" })
    ).annotateContext(describing("Prometheus exposition text"))
  )
  .annotateContext(describing("The supervisor itself; open to everybody who can reach it"))

const instances = HttpApiGroup.make("instances")
  .add(HttpApiEndpoint.get("list", "/").addSuccess(Schema.Array(Views.InstanceView)))
  .add(
    HttpApiEndpoint.post("spawn", "/").setPayload(Payloads.Spawn).addSuccess(Views.Outcome)
      .addError(NoSuchService).addError(NoSuchInstance).addError(NotReady)
      .annotateContext(
        describing("Creates the instance if there is none of that name, starts it, waits until it is ready")
      )
  )
  .add(HttpApiEndpoint.get("describe", "/:name").setPath(ByName).addSuccess(Views.Description).addError(NoSuchInstance))
  .add(
    HttpApiEndpoint.del("remove", "/:name").setPath(ByName).setUrlParams(Queries.Removal)
      .addError(NoSuchInstance).addError(NotReady).addError(DataLeft)
      .annotateContext(describing("Stops the instance and forgets it"))
  )
  .add(
    HttpApiEndpoint.post("start", "/:name/start").setPath(ByName).addSuccess(Views.Outcome)
      .addError(NoSuchInstance).addError(NotReady)
  )
  .add(
    HttpApiEndpoint.post("stop", "/:name/stop").setPath(ByName).addSuccess(Views.Outcome)
      .addError(NoSuchInstance).addError(NotReady)
  )
  .add(
    HttpApiEndpoint.post("restart", "/:name/restart").setPath(ByName).addSuccess(Views.Outcome)
      .addError(NoSuchInstance).addError(NotReady)
  )
  .add(
    HttpApiEndpoint.post("route", "/:name/route").setPath(ByName).setUrlParams(Queries.Route).addSuccess(Views.Outcome)
      .addError(NoSuchInstance).addError(NotReady)
      .annotateContext(describing(
        "Moves all traffic of the service to the instance, which is started if need be; the others are drained and stopped"
      ))
  )
  .add(
    HttpApiEndpoint.put("weigh", "/:name/weight").setPath(ByName).setPayload(Payloads.Weigh).addSuccess(Payloads.Weigh)
      .addError(NoSuchInstance).addError(NotReady)
      .annotateContext(describing("Sets the instance's share of the traffic of its service"))
  )
  .add(
    HttpApiEndpoint.post("probe", "/:name/probe").setPath(ByName).addSuccess(Views.ProbeReport)
      .addError(NoSuchInstance).addError(NotRunning)
  )
  .add(
    HttpApiEndpoint.get("logs", "/:name/logs").setPath(ByName).setUrlParams(Queries.LineSelection).addSuccess(
      EventStream
    )
      .addError(NoSuchInstance).addError(LogsFailed).annotateContext(streaming("LogLine"))
  )
  .addError(Busy).addError(ActorLost).addError(ShuttingDown).addError(HandedOver).addError(StoreFailed)
  .prefix("/api/instances")
  .middleware(Authorization)

const tree = HttpApiGroup.make("tree")
  .add(
    HttpApiEndpoint.get("logs", "/logs").setUrlParams(Queries.LogSelection).addSuccess(EventStream)
      .addError(NoSuchInstance).addError(LogsFailed).annotateContext(streaming("LogLine"))
  )
  .add(
    HttpApiEndpoint.get("events", "/events").setUrlParams(Queries.Selection).addSuccess(EventStream)
      .annotateContext(streaming("Event"))
  )
  .add(
    HttpApiEndpoint.post("deploy", "/deploy").setPayload(Payloads.Deploy).addSuccess(Views.Outcome)
      .addError(ConfigInvalid).addError(NoSuchService).addError(NoSuchInstance).addError(NotReady)
      .addError(Busy).addError(ActorLost).addError(ShuttingDown).addError(HandedOver).addError(StoreFailed)
      .annotateContext(describing(
        "Starts a version next to the others and moves traffic to it when it is ready; one that is not is removed"
      ))
  )
  .add(HttpApiEndpoint.get("tree", "/tree").addSuccess(Views.TreeNode))
  .add(HttpApiEndpoint.get("config", "/config").addSuccess(Payloads.ConfigView))
  .add(
    HttpApiEndpoint.post("reload", "/reload").setUrlParams(Queries.Reload).addSuccess(Views.ReloadPlan)
      .addError(ConfigInvalid).addError(ConfigNotFound).addError(ReloadRefused).addError(ShuttingDown)
      .addError(HandedOver).addError(StoreFailed)
  )
  .add(
    HttpApiEndpoint.post("upgrade", "/upgrade").setPayload(Payloads.Upgrade).addSuccess(Payloads.Succession)
      .addError(NotReplaced).addError(ShuttingDown).addError(HandedOver).addError(StoreFailed)
      .annotateContext(
        describing(
          "Puts another supervisor in the place of this one, and answers when it is in charge; instances go on. " +
            "Over the control socket alone"
        )
      )
  )
  .add(
    HttpApiEndpoint.post("leave", "/leave").addSuccess(Schema.Struct({ pid: Schema.Int }))
      .addError(NotReplaced).addError(ShuttingDown).addError(HandedOver).addError(StoreFailed)
      .annotateContext(
        describing(
          "The supervisor ends, and leaves its instances to the next one, which may begin when this is answered. " +
            "Over the control socket alone"
        )
      )
  )
  .add(HttpApiEndpoint.get("openapi", "/openapi.json").addSuccess(Schema.Unknown))
  .prefix("/api")
  .middleware(Authorization)

// HttpApi adds an error of its own to every route. Requests that it would name are answered with BadRequest.
const foreign = new Set(["HttpApiDecodeError", "Issue", "PropertyKey"])
const isForeign = (item: unknown): boolean =>
  Predicate.hasProperty(item, "$ref") && item.$ref === "#/components/schemas/HttpApiDecodeError"
const withoutForeign = (document: Record<string, unknown>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(
    document,
    (key, value: unknown) =>
      foreign.has(key) ? undefined : Array.isArray(value) ? value.filter((item) => !isForeign(item)) : value
  ))

/**
 * @since 0.1.0
 * @category api
 */
export const Api = HttpApi.make("tenement")
  .add(supervisor)
  .add(instances)
  .add(tree)
  .addError(BadRequest)
  .addError(Errors.onWire(Errors.ForeignHost, 403))
  .addError(Errors.onWire(Errors.NoSuchRoute, 404))
  .addError(Errors.onWire(Errors.MethodNotAllowed, 405))
  .addError(Errors.onWire(Errors.TooLarge, 413))
  .addError(Errors.onWire(Errors.NotJson, 415))
  .addError(Errors.onWire(Errors.InternalError, 500))
  .annotate(HttpApi.AdditionalSchemas, [Views.LogLine, Views.EventRecord])
  .annotateContext(
    OpenApi.annotations({
      title: "tenement",
      description: "A supervisor for many services on one machine",
      transform: withoutForeign
    })
  )
