import { assert, describe, it } from "@effect/vitest"
import * as FileSchema from "../../src/config/FileSchema.ts"
import { jsonSchema } from "../../src/config/JsonSchema.ts"
import * as ServiceTable from "../../src/config/ServiceTable.ts"
import * as SettingsTable from "../../src/config/SettingsTable.ts"

interface Node {
  readonly description?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, Node>>
  readonly patternProperties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: unknown
  readonly required?: ReadonlyArray<string>
}

const schema: Node = JSON.parse(JSON.stringify(jsonSchema()))
const service = schema.properties?.["service"]?.patternProperties?.[""]
const settings = schema.properties?.["settings"]

describe("JsonSchema.jsonSchema", () => {
  it("has every key of every table, described", () => {
    assert.hasAllKeys(schema.properties, Object.keys(FileSchema.File.fields))
    assert.hasAllKeys(service?.properties, Object.keys(ServiceTable.schema.fields))
    assert.hasAllKeys(settings?.properties, Object.keys(SettingsTable.schema.fields))
    for (const table of [schema, service, settings, schema.properties?.["group"]?.patternProperties?.[""]]) {
      assert.strictEqual(table?.additionalProperties, false)
      for (const [key, node] of Object.entries(table?.properties ?? {})) assert.isNotEmpty(node.description, key)
    }
  })

  it("gives the defaults as the file writes them", () => {
    const defaults = (table: Node | undefined, keys: ReadonlyArray<string>) =>
      keys.map((key) => table?.properties?.[key]?.default)
    assert.deepStrictEqual(
      defaults(service, [
        "health_timeout",
        "health_retries",
        "startup_timeout",
        "restart",
        "backoff_jitter",
        "isolation"
      ]),
      [5, 3, 30, "on-failure", 0.1, "namespace"]
    )
    assert.deepStrictEqual(
      defaults(settings, [
        "listen",
        "max_restarts",
        "restart_window",
        "backoff_base_ms",
        "backoff_max_ms",
        "log_max_mb"
      ]),
      ["127.0.0.1:8000", 3, 300, 1000, 60_000, 10]
    )
    assert.deepStrictEqual(service?.required, ["command"])
  })
})
