/**
 * A configuration as a file that says everything: every default filled in, every path absolute. What `env_file` gives
 * is named and never shown.
 *
 * @since 0.1.0
 */
import * as Toml from "smol-toml"
import type { TenementConfig } from "../domain/Config.ts"
import * as Keys from "../domain/ConfigKeys.ts"

type Section = Readonly<Record<string, Keys.Value>>

const section = <A>(keys: ReadonlyArray<Keys.Key<A>>, config: A): Section =>
  Object.fromEntries(
    keys.flatMap(({ name, read }) => {
      const value = read(config)
      return value === null || isEmptyTable(value) ? [] : [[name, value]]
    })
  )

const isEmptyTable = (value: Keys.Value): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0

/**
 * The configuration with the tables and keys of the file, and the names of each service's secrets.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shown {
  readonly settings: Section
  readonly service: Readonly<Record<string, Section>>
  readonly group: Readonly<Record<string, Section>>
  readonly routing: Section
  readonly secrets: Readonly<Record<string, ReadonlyArray<string>>>
}

/**
 * The configuration as an object.
 *
 * @since 0.1.0
 * @category combinators
 */
export const toObject = ({ groups, routing, services, settings }: TenementConfig): Shown => ({
  settings: section(Keys.settings, settings),
  service: Object.fromEntries([...services].map(([name, service]) => [name, section(Keys.service, service)])),
  group: Object.fromEntries([...groups].map(([name, group]) => [name, section(Keys.group, group)])),
  routing: section(Keys.routing, routing),
  secrets: Object.fromEntries(
    [...services].flatMap(([name, { secrets }]) => {
      const names = Object.keys(secrets)
      return names.length === 0 ? [] : [[name, names]]
    })
  )
})

/**
 * The configuration as the text of a file. Loading it gives the same configuration again.
 *
 * @since 0.1.0
 * @category combinators
 */
export const toToml = (config: TenementConfig): string => {
  const { group, routing, secrets, service, settings } = toObject(config)
  const table = (kind: string, name: string, value: Section) => Toml.stringify({ [kind]: { [name]: value } })
  const note = (name: string) => Object.hasOwn(secrets, name) ? `# from env_file: ${secrets[name]?.join(", ")}\n` : ""
  return [
    `# ${config.file}, with all defaults\n`,
    Toml.stringify({ settings }),
    ...Object.entries(service).map(([name, value]) => note(name) + table("service", name, value)),
    ...Object.entries(group).map(([name, value]) => table("group", name, value)),
    ...(Object.keys(routing).length === 0 ? [] : [Toml.stringify({ routing })])
  ].join("\n")
}
