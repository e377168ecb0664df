import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Toml from "smol-toml"
import * as FileSchema from "../../src/config/FileSchema.ts"
import * as GroupTable from "../../src/config/GroupTable.ts"
import * as ServiceTable from "../../src/config/ServiceTable.ts"
import * as SettingsTable from "../../src/config/SettingsTable.ts"
import * as Show from "../../src/config/Show.ts"
import type { TenementConfig } from "../../src/domain/Config.ts"
import type { ConfigIssue } from "../../src/domain/Errors.ts"
import { outcome } from "./files.ts"

const isInside = (text: string) => ({ column, file, line, message }: ConfigIssue): void => {
  if (line === null || column === null) assert.fail(`nobody knows where: ${message}`)
  const lines = text.split("\n")
  assert.strictEqual(file, "/srv/tenement.toml")
  assert.isTrue(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}: ${message}`)
  assert.isTrue(column >= 1 && column <= (lines[line - 1] ?? "").length + 1, `${line}:${column}: ${message}`)
  assert.isNotEmpty(message)
}

/** Either a configuration or located complaints; anything else is thrown. */
const survives = async (text: string): Promise<boolean> => {
  const result = await Effect.runPromise(outcome(text))
  if (Either.isLeft(result)) { for (const issue of result.left.issues) isInside(text)(issue) }
  return Either.isRight(result)
}

// --- files that are right -------------------------------------------------------------------------------------------

const seconds = FastCheck.oneof(
  FastCheck.integer({ min: 1, max: 864_000 }),
  FastCheck.double({ min: 1, max: 864_000, noNaN: true }),
  FastCheck.constantFrom("1500 millis", "10s", "5m", "1h30m", "1 day", "2 hours 3 seconds")
)
const millis = (min: number, max: number) => FastCheck.integer({ min, max })
const restarts = FastCheck.oneof(FastCheck.nat(100), FastCheck.constant("unlimited"))
const id = FastCheck.stringMatching(/^[a-z0-9][a-z0-9_-]{0,8}$/)
const ids = FastCheck.uniqueArray(id, { maxLength: 3 })
const word = FastCheck.fullUnicodeString({ minLength: 1, maxLength: 8 }).filter((text) => !/[\0{}]/.test(text))
const program = word.filter((text) => text.trim() !== "")
const template = FastCheck.array(
  FastCheck.constantFrom(
    "{name}",
    "{id}",
    "{data_dir}",
    "{instance_dir}",
    "{socket}",
    "{run_dir}",
    "{{x}}",
    "a",
    "}}",
    "é"
  )
).map((parts) => parts.join(""))

const optional = <T>(arbitrary: FastCheck.Arbitrary<T>) => FastCheck.option(arbitrary, { nil: undefined })

const service = FastCheck.record({
  command: FastCheck.tuple(program, FastCheck.array(template, { maxLength: 3 })).map((
    [first, rest]
  ) => [first, ...rest]),
  isolation: FastCheck.constant("process"),
  cwd: optional(FastCheck.constantFrom("/srv/x", "sub", "./sub/", "{instance_dir}/x", "a{{b")),
  env: optional(FastCheck.dictionary(
    FastCheck.stringMatching(/^[A-Z_]{1,8}$/),
    FastCheck.oneof(template, FastCheck.integer(), FastCheck.boolean())
  )),
  user: optional(FastCheck.constantFrom("nobody", 1000, "1000")),
  socket_mode: optional(FastCheck.constantFrom("0600", "660", "0777")),
  socket: optional(FastCheck.constantFrom("{instance_dir}/a.sock", "{run_dir}/x-{name}.{id}.sock")),
  port: optional(FastCheck.constant("auto")),
  health: optional(FastCheck.constantFrom("/", "/health?x=1")),
  health_interval: optional(seconds),
  health_timeout: optional(seconds),
  health_retries: optional(FastCheck.integer({ min: 1, max: 9 })),
  readiness: optional(FastCheck.constantFrom("socket", "started", "notify")),
  startup_timeout: optional(seconds),
  restart: optional(FastCheck.constantFrom("always", "on-failure", "never")),
  max_restarts: optional(restarts),
  restart_window: optional(seconds),
  backoff_base_ms: optional(millis(1, 1000)),
  backoff_max_ms: optional(millis(1000, 99_999)),
  backoff_jitter: optional(FastCheck.double({ min: 0, max: 1, noNaN: true })),
  stable_after: optional(seconds),
  stop_signal: optional(FastCheck.constantFrom("SIGTERM", "INT", "SIGUSR1")),
  stop_timeout: optional(seconds),
  instances: optional(ids),
  weight: optional(FastCheck.nat(10_000))
})

const settings = FastCheck.record({
  data_dir: optional(FastCheck.constantFrom("/data", "data", "/odd {name}")),
  socket: optional(FastCheck.constantFrom("/run/x/t.sock", "t.sock")),
  listen: optional(FastCheck.constantFrom("off", "[::1]:9", "localhost:0")),
  domain: optional(FastCheck.constantFrom("example.com")),
  health_check_interval: optional(seconds),
  max_restarts: optional(restarts),
  restart_window: optional(seconds),
  start_concurrency: optional(FastCheck.integer({ min: 1, max: 99 })),
  log_max_mb: optional(FastCheck.double({ min: 0.001, max: 1000, noNaN: true })),
  log_keep: optional(FastCheck.nat(9))
})

const defined = (table: object): object =>
  Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined))

/** Services that depend on those before them, some in a group. */
const files = FastCheck.tuple(
  settings,
  FastCheck.uniqueArray(FastCheck.tuple(id, service), { selector: ([name]) => name, minLength: 1, maxLength: 4 }),
  FastCheck.constantFrom("one-for-one", "one-for-all", "rest-for-one"),
  FastCheck.infiniteStream(FastCheck.boolean())
).map(([settings, services, strategy, coins]) => {
  const heads = () => coins.next().value === true
  return Toml.stringify({
    settings: defined(settings),
    service: Object.fromEntries(services.map(([name, table], index) => [name, {
      ...defined(table),
      depends_on: services.slice(0, index).map(([name]) => name).filter(heads)
    }])),
    group: heads() ? { all: { services: services.map(([name]) => name), strategy } } : {}
  })
})

const withoutPlaces = ({ groups, services, settings }: TenementConfig) => ({
  settings,
  groups: [...groups],
  services: [...services].map(([name, service]) => [name, { ...service, source: null }])
})

describe("A configuration", () => {
  it("is shown as a file that loads as the same configuration", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(files, async (text) => {
        const first = Either.getOrThrow(await Effect.runPromise(outcome(text)))
        const shown = Show.toToml(first)
        const second = Either.getOrThrow(await Effect.runPromise(outcome(shown)))
        assert.deepStrictEqual(withoutPlaces(second), withoutPlaces(first))
        assert.strictEqual(Show.toToml(second), shown)
      }),
      { numRuns: 200 }
    ), 60_000)

  it("is shown without what env_file holds", async () => {
    const text = "[service.a]\ncommand = \"x\"\nisolation = \"process\"\nenv_file = \"e\"\n"
    const config = Either.getOrThrow(await Effect.runPromise(outcome(text, { "/srv/e": "TOKEN=hunter2" })))
    assert.strictEqual(config.services.values().next().value?.secrets["TOKEN"], "hunter2")
    for (const shown of [Show.toToml(config), JSON.stringify(Show.toObject(config))]) {
      assert.include(shown, "TOKEN")
      assert.notInclude(shown, "hunter2")
    }
  })
})

// --- files that are wrong -------------------------------------------------------------------------------------------

const value: FastCheck.Arbitrary<string> = FastCheck.letrec<{ value: string }>((tie) => ({
  value: FastCheck.oneof(
    { maxDepth: 3 },
    FastCheck.fullUnicodeString().map((text) => JSON.stringify(text.replaceAll("\x7F", ""))),
    FastCheck.constantFrom(
      "\"\"",
      "\"{x}\"",
      "\"a 'b\"",
      "\"10s\"",
      "\"\\u0000\"",
      "true",
      "inf",
      "-nan",
      "0x10",
      "1e400",
      "-1"
    ),
    FastCheck.constantFrom(
      "99999999999999999999",
      "1979-05-27",
      "07:32:00",
      "1979-05-27T07:32:00Z",
      "[]",
      "{}",
      "[[]]"
    ),
    FastCheck.integer().map(String),
    FastCheck.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number.toFixed(3)),
    FastCheck.array(tie("value"), { maxLength: 3 }).map((all) => `[${all.join(", ")}]`),
    FastCheck.dictionary(
      FastCheck.constantFrom("a", "__proto__", "constructor", "toString", "command", "\"x y\"", "\"\""),
      tie("value"),
      { maxKeys: 3 }
    ).map((all) => `{ ${Object.entries(all).map(([key, value]) => `${key} = ${value}`).join(", ")} }`)
  )
})).value

const places = [
  ...Object.keys(FileSchema.File.fields).map((key) => ["", key] as const),
  ...Object.keys(SettingsTable.schema.fields).map((key) => ["[settings]\n", key] as const),
  ...Object.keys(GroupTable.schema.fields).map((key) => ["[group.g]\n", key] as const),
  ...Object.keys(ServiceTable.schema.fields).map((key) => ["[service.s]\n", key] as const),
  ...["__proto__", "constructor", "hasOwnProperty", "\"\"", "\"\\u0000\"", "unknown"].flatMap((key) =>
    ["", "[service]\n", "[service.s]\n", "[service.s.env]\n", "[group]\n", "[instances]\n", "[settings]\n"]
      .map((table) => [table, key] as const)
  )
]

const good = `include = []

[settings]
data_dir = "/var/lib/app"
max_restarts = 5

[service.api]
command = "./api --socket '{socket}'"
socket = "/tmp/api.sock"
health = "/health"
isolation = "process"
env = { PORT = 80, JSON = '{"a":{"b":1}}' }
depends_on = ["db"]
instances = ["prod", "test"]

[service.api.env_file]

[service.db]
command = ["db", "{instance_dir}"]
isolation = "process"
stop_timeout = "10s"

[group.all]
services = ["db", "api"]
strategy = "one-for-all"
`.replace("[service.api.env_file]\n\n", "")

const pieces = [
  "\"",
  "'",
  "{",
  "}",
  "[",
  "]",
  "=",
  ".",
  "\n",
  "#",
  "\\",
  "_",
  "0",
  "-",
  "é",
  "\0",
  "\r",
  "service",
  "api",
  "db",
  "env",
  "true",
  "{{",
  "\"\"\""
]

interface Mutation {
  readonly at: number
  readonly cut: number
  readonly put: string
}

const mutation: FastCheck.Arbitrary<Mutation> = FastCheck.record({
  at: FastCheck.nat(good.length),
  cut: FastCheck.oneof(FastCheck.constant(0), FastCheck.constant(1), FastCheck.nat(30)),
  put: FastCheck.oneof(
    FastCheck.constant(""),
    FastCheck.constantFrom(...pieces),
    // A part of the file itself, somewhere else.
    FastCheck.tuple(FastCheck.nat(good.length), FastCheck.nat(60)).map(([from, length]) =>
      good.slice(from, from + length)
    )
  )
})

const mutate = (text: string, { at, cut, put }: Mutation): string => text.slice(0, at) + put + text.slice(at + cut)

describe("Whatever a file holds, it loads or its faults are told with their places:", () => {
  it("any value at any key", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.constantFrom(...places), value, async ([table, key], value) => {
        const pair = `${table}${key} = ${value}\n`
        await survives(pair)
        await survives(
          `${table === "" ? pair : ""}[service.t]\ncommand = "x"\nisolation = "process"\n${table === "" ? "" : pair}`
        )
      }),
      { numRuns: 600 }
    ), 120_000)

  it("a good file changed here and there", async () => {
    assert.isTrue(await survives(good))
    let loaded = 0
    await FastCheck.assert(
      FastCheck.asyncProperty(FastCheck.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        if (await survives(mutations.reduce(mutate, good))) loaded++
      }),
      { numRuns: 3000 }
    )
    assert.isAbove(loaded, 0)
  }, 120_000)

  it("a good file cut off anywhere", async () => {
    for (let end = 0; end < good.length; end++) await survives(good.slice(0, end))
  }, 60_000)
})

describe("Names that objects have from birth", () => {
  it("are services like any other", async () => {
    const names = ["constructor", "tostring", "prototype"]
    const text = names.map((name) =>
      `[service.${name}]\ncommand = "x"\nisolation = "process"\nenv = { constructor = "y", hasOwnProperty = "z" }\n`
    ).join("")
    const config = Either.getOrThrow(await Effect.runPromise(outcome(text)))
    assert.deepStrictEqual([...config.services.keys()], names)
    for (const { env, instances } of config.services.values()) {
      assert.deepStrictEqual(env, { constructor: "y", hasOwnProperty: "z" })
      assert.deepStrictEqual(instances, ["default"] as ReadonlyArray<string>)
    }
    assert.isUndefined(({} as { readonly y?: string }).y)
  })
})
