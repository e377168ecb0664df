/**
 * The whole of `tenement.toml` as one schema: what is decoded and what editors are told come from here.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as GroupTable from "./GroupTable.ts"
import { fieldsOf, maybe } from "./Keys.ts"
import * as ServiceTable from "./ServiceTable.ts"
import * as SettingsTable from "./SettingsTable.ts"
import * as Values from "./Values.ts"

const routingKeys = {
  default: maybe(Values.serviceName, "The service that answers when nothing else fits."),
  subdomain: maybe(
    Schema.Record({ key: Values.someText, value: Values.serviceName }),
    "Services by what stands before the domain: with shop = \"web\", shop.{domain} is web's."
  ),
  path: maybe(
    Schema.Record({ key: Values.someText, value: Values.serviceName }),
    "Services by the first segments of the path, where the host names none: with \"/shop\" = \"web\", so is /shop/tea."
  )
}

/**
 * The whole file.
 *
 * @since 0.1.0
 * @category schemas
 */
export const File = Schema.Struct(fieldsOf({
  include: maybe(
    Values.list(Values.someText),
    "More files to read: names, or patterns with * and ?, from this file's folder."
  ),
  settings: maybe(SettingsTable.schema, "What holds for the supervisor, and defaults for services."),
  service: maybe(
    Schema.Record({ key: Values.serviceName, value: ServiceTable.schema }),
    "The services, each in [service.NAME]."
  ),
  group: maybe(
    Schema.Record({ key: Values.groupName, value: GroupTable.schema }),
    "Services whose fates are tied, each group in [group.NAME]."
  ),
  instances: maybe(
    Schema.Record({ key: Values.serviceName, value: Values.list(Values.instanceId) }),
    "Instances to start, by service: the same as the service's own key `instances`."
  ),
  routing: maybe(Schema.Struct(fieldsOf(routingKeys)), "Which service answers which request.")
})).annotations({ title: "tenement.toml" })
/** @since 0.1.0 */
export type File = typeof File.Type
