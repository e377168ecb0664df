/**
 * The configuration as the API shows it.
 *
 * @since 0.1.0
 */
import type { TenementConfig } from "../domain/Config.ts"
import * as Keys from "../domain/ConfigKeys.ts"
import type { ConfigView } from "./Payloads.ts"

const table = <A>(keys: ReadonlyArray<Keys.Key<A>>, config: A): Readonly<Record<string, unknown>> =>
  Object.fromEntries(keys.flatMap(({ name, read }) => {
    const value = read(config)
    return value === null ? [] : [[name, value]]
  }))

const tables = <A>(keys: ReadonlyArray<Keys.Key<A>>, all: ReadonlyMap<string, A>) =>
  Object.fromEntries([...all].map(([name, config]) => [name, table(keys, config)]))

/**
 * Laid out as the file is, with its keys; what `env_file` holds is left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (config: TenementConfig): ConfigView => ({
  file: config.file,
  settings: table(Keys.settings, config.settings),
  service: tables(Keys.service, config.services),
  group: tables(Keys.group, config.groups),
  routing: table(Keys.routing, config.routing)
})
