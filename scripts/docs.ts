// Writes the parts of docs/ that are read off the code: what lies between <!-- NAME: … --> and <!-- /NAME -->.
//
//     npx vite-node scripts/docs.ts
//
// test/examples/docs.test.ts fails when one of them is out of date.
import * as OpenApi from "@effect/platform/OpenApi"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as fs from "node:fs"
import * as GroupTable from "../src/config/GroupTable.ts"
import * as NotYet from "../src/config/NotYet.ts"
import * as ServiceTable from "../src/config/ServiceTable.ts"
import * as SettingsTable from "../src/config/SettingsTable.ts"
import { Api } from "../src/control/Api.ts"
import { allowedBy } from "../src/domain/Allowed.ts"

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`)
    .join("\n")

const code = (text: string) => `\`${text}\``

// --- docs/api.md ----------------------------------------------------------------------------------------------------

interface Json {
  readonly $ref?: string
  readonly $id?: string
  readonly type?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<Json>
  readonly items?: Json
  readonly required?: ReadonlyArray<string>
  readonly properties?: Readonly<Record<string, Json>>
  readonly additionalProperties?: Json | boolean
  readonly content?: Readonly<Record<string, { readonly schema: Json }>>
  readonly description?: string
}

const document = OpenApi.fromApi(Api)
const schemas = document.components.schemas as unknown as Readonly<Record<string, Json>>

const scalars = new Set(["InstanceName", "ServiceName", "InstanceId", "GroupName"])

/** A JSON schema in the words of TypeScript. */
const spell = (schema: Json, indent = ""): string => {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split(/\/|~1/).at(-1) ?? ""
    return name === "Int" ? "integer" : scalars.has(name) ? "string" : name
  }
  if (schema.$id === "/schemas/unknown") return "any JSON"
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ")
  if (schema.anyOf !== undefined) {
    const long = schema.anyOf.length > 3 ? `\n${indent}  | ` : " | "
    return `${long === " | " ? "" : long}${schema.anyOf.map((member) => spell(member, indent)).join(long)}`
  }
  if (schema.items !== undefined) {
    const item = spell(schema.items, indent)
    return /^\w+$/.test(item) ? `${item}[]` : `Array<${item}>`
  }
  if (schema.properties !== undefined && Object.keys(schema.properties).length > 0) {
    const optional = (name: string) => schema.required?.includes(name) === true ? "" : "?"
    const fields = Object.entries(schema.properties).map(([name, value]) =>
      `${name}${optional(name)}: ${spell(value, `${indent}  `)}`
    )
    const short = `{ ${fields.join(", ")} }`
    return short.length < 80 ? short : `{\n${indent}  ${fields.join(`\n${indent}  `)}\n${indent}}`
  }
  return typeof schema.additionalProperties === "object"
    ? `{ [name]: ${spell(schema.additionalProperties, indent)} }`
    : schema.type ?? "any JSON"
}

const answer = (response: Json): string => {
  const [[type, { schema }] = ["", { schema: {} }]] = Object.entries(response.content ?? {})
  return type === "application/json"
    ? code(spell(schema))
    : type === "text/event-stream"
    ? `a stream of ${code(spell(schema))}`
    : type === ""
    ? "nothing (204)"
    : "text"
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    route: `${method.toUpperCase()} ${path}`,
    parameters: (operation.parameters ?? []).filter((parameter) => parameter.in === "query").map(({ name }) => name),
    body: Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => schema as Json),
    responses: Object.entries(operation.responses as unknown as Readonly<Record<string, Json>>)
  }))
)

const routes = (): string =>
  table(
    ["route", "takes", "answers with"],
    operations.map(({ body, parameters, responses, route }) => [
      code(route),
      [...body.map((schema) => code(spell(schema))), ...parameters.map((name) => code(`?${name}=`))].join(" "),
      ...responses.filter(([status]) => status.startsWith("2")).map(([, response]) => answer(response))
    ])
  )

const meanings: Readonly<Record<string, string>> = {
  ActorLost: "a defect while this request was worked on; `events` tells more",
  BadRequest: "the body or the query is wrong; `issues` says where and how",
  Busy: "too many requests wait for this instance; nothing was changed",
  ConfigNotFound: "the file is gone",
  ConfigInvalid: "the file is wrong; every error in `issues`; nothing was changed",
  DataLeft: "the instance is gone, and some of its logs or its folder is not; `problems` says what",
  ForeignHost: "`Host` or `Origin` is not this supervisor's",
  HandedOver: "another supervisor has taken over in this very moment, and what was asked for goes on there: ask again",
  InternalError: "a defect of tenement",
  LogsFailed: "the logs could not be read or written; `path` and `code` say why",
  MethodNotAllowed: "the path exists, with other methods",
  NoSuchInstance: "there is no such instance; `nearest` may be what was meant",
  NoSuchRoute: "nothing is served at this path",
  NoSuchService: "the file has no such service; `nearest` may be what was meant",
  NotJson: "the body is not sent as `application/json`",
  NotReady: "the instance did not become ready; it stays supervised, `instance` and `reason` say how it is",
  NotReplaced: "no other supervisor took over, `reason` says why; this one goes on as it was",
  NotRunning: "a probe was asked for, and nothing runs",
  ReloadRefused: "`keys` cannot change without a new supervisor; nothing was changed",
  ShuttingDown: "the supervisor is going down",
  StoreFailed: "what was asked for cannot be kept, as when the disk is full: nothing was changed",
  TooLarge: "the body or the target is too long",
  Unauthorized: "no token, or an unknown one"
}

const errors = (): string => {
  const found = new Map<string, string>()
  for (const { responses } of operations) {
    for (const [status, response] of responses) {
      if (Number(status) < 400) continue
      const schema = Object.values(response.content ?? {})[0]?.schema ?? {}
      // The framework's own error is in its document; the server answers BadRequest instead.
      for (const name of spell(schema).split(/[|\s]+/).filter(Boolean)) {
        if (name !== "HttpApiDecodeError") found.set(name, status)
      }
    }
  }
  const rows = [...found].sort(([a, x], [b, y]) => x.localeCompare(y) || a.localeCompare(b))
  for (const [name] of rows) if (meanings[name] === undefined) throw new Error(`no meaning for the error ${name}`)
  return table(
    ["`_tag`", "status", "meaning"],
    rows.map(([name, status]) => [code(name), status, meanings[name] ?? ""])
  )
}

const told = [
  "Instance",
  "LastExit",
  "Outcome",
  "Description",
  "ProbeReport",
  "LogLine",
  "Transition",
  "Notice",
  "TreeNode",
  "ReloadPlan",
  "Config",
  "Health",
  "State",
  "ExitReason",
  "Cause"
]

const objects = (): string =>
  `\`\`\`text\n${told.map((name) => `${name} = ${spell(schemas[name] ?? {})}`).join("\n\n")}\n\`\`\``

// --- docs/configuration.md ------------------------------------------------------------------------------------------

const allowed = (ast: AST.AST): string =>
  Option.getOrElse(allowedBy(ast), () => {
    switch (ast._tag) {
      case "TupleType": {
        const element = ast.elements[0]?.type ?? ast.rest[0]?.type
        return element === undefined ? "an array" : `an array of ${allowed(element)}`
      }
      case "TypeLiteral":
        return "a table"
      default:
        throw new Error(`nothing says what this may be: ${String(ast)}`)
    }
  })

/** Without the examples and the rules that the text above the table gives once for all. */
const inShort = (text: string): string =>
  text
    .replace(/ \((10|250|"250 millis"[^)]*|1 to 63[^)]*)\)/g, "")
    .replace(/ and at most 10 days|, at most 10 days/, "")
    .replace(/an array of an? /, "an array: each ")

const ors = (words: ReadonlyArray<string>): string => words.join(" or ")

/** What this version refuses of a key. */
const limits = (row: NotYet.Row | undefined): string =>
  row === undefined
    ? ""
    : row.except === undefined
    ? "**Not in this version.** "
    : `**In this version only ${ors(row.except.map((value) => code(JSON.stringify(value))))}.** `

const refused = (): string =>
  NotYet.inService.map(({ except, key, standard }) => {
    const allowed = except === undefined ? "" : ` (but for ${ors(except.map((value) => code(JSON.stringify(value))))})`
    const unset = standard === undefined ? "" : `; left out, it is ${code(JSON.stringify(standard))} and refused too`
    return `- ${code(key)}${allowed}${unset}`
  }).join("\n")

const keys = (schema: Schema.Schema.All, notYet: ReadonlyArray<NotYet.Row> = []) => (): string => {
  const file = schema.ast._tag === "Transformation" ? schema.ast.from : schema.ast
  if (file._tag !== "TypeLiteral") throw new Error("not a table")
  return table(
    ["key", "value", "meaning"],
    file.propertySignatures.map(({ name, type }) => {
      const standard = AST.getAnnotation<unknown>(AST.DefaultAnnotationId)(type).pipe(
        Option.map(Schema.encodeUnknownSync(Schema.make(type))),
        Option.match({ onNone: () => "", onSome: (value) => ` Default: ${code(JSON.stringify(value))}.` })
      )
      const meaning = Option.getOrElse(AST.getDescriptionAnnotation(type), () => "")
      const limit = limits(notYet.find(({ key }) => key === name))
      return [code(String(name)), inShort(allowed(type)), `${limit}${meaning}${standard}`]
    })
  )
}

// --- putting it in its place ----------------------------------------------------------------------------------------

const parts: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "docs/api.md": { routes, errors, objects },
  "docs/configuration.md": {
    settings: keys(SettingsTable.schema),
    service: keys(ServiceTable.schema, NotYet.inService),
    group: keys(GroupTable.schema),
    refused
  }
}

/** A document with its written parts as they are now. */
export const renew = (file: string, text: string): string =>
  Object.entries(parts[file] ?? {}).reduce((text, [name, write]) => {
    const place = new RegExp(`(<!-- ${name}: [^\n]*-->\n)[^]*?(<!-- /${name} -->)`)
    if (!place.test(text)) throw new Error(`${file} has no place for ${name}`)
    return text.replace(place, (_, open: string, close: string) => `${open}\n${write()}\n\n${close}`)
  }, text)

/** The documents that have such parts. */
export const files: ReadonlyArray<string> = Object.keys(parts)

if (process.env["VITEST"] === undefined) {
  for (const file of files) fs.writeFileSync(file, renew(file, fs.readFileSync(file, "utf8")))
}
