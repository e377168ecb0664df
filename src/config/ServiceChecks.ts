/**
 * What can be wrong with a service or a group by itself, though each of its keys is right.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { CommandLine } from "./CommandLine.ts"
import { type Declaration, declares, within } from "./Declarations.ts"
import type { GroupTable } from "./GroupTable.ts"
import { atValue, type Path, type Problem } from "./Problem.ts"
import type { ServiceTable } from "./ServiceTable.ts"
import type { SettingsTable } from "./SettingsTable.ts"
import * as Templates from "./Templates.ts"

const problemAt = (declaration: Declaration<unknown>, path: Path, message: string): Problem =>
  atValue(declaration.source, within(declaration, ...path).path, message)

/** The elements that a list holds already, by their index. */
const repeated = (list: ReadonlyArray<string>): ReadonlyArray<readonly [index: number, element: string]> => {
  const seen = new Set<string>()
  return [...list.entries()].filter(([, element]) => seen.size === seen.add(element).size)
}

const repeats = (declaration: Declaration<unknown>, key: string, list: ReadonlyArray<string>): ReadonlyArray<Problem> =>
  repeated(list).map(([index, element]) =>
    problemAt(declaration, [key, index], `${JSON.stringify(element)} is listed twice`)
  )

/**
 * The words of a service's command, and the words in braces of all its templates.
 */
const templates = (declaration: Declaration<ServiceTable>, command: CommandLine): ReadonlyArray<Problem> => {
  const { value } = declaration
  const hasPort = declares(declaration, "port")
  const check = (path: Path, text: string, early: boolean) =>
    Templates.faults(text, { key: String(path[0]), early, hasPort }).map((fault) => problemAt(declaration, path, fault))
  return [
    ...(Either.isLeft(command)
      ? [problemAt(declaration, ["command"], command.left)]
      : command.right.flatMap(({ path, text }) => check(path, text, false))),
    ...Object.entries(value.env ?? {}).flatMap(([name, text]) => check(["env", name], text, false)),
    ...check(["cwd"], value.cwd ?? "", true),
    ...check(["socket"], value.socket ?? "", true)
  ]
}

const needs = {
  health: "the key `health`, the path to ask for",
  port: "the key `port`, a number or \"auto\""
} as const

const readiness = (declaration: Declaration<ServiceTable>): ReadonlyArray<Problem> => {
  const { readiness } = declaration.value
  return (readiness === "health" || readiness === "port") && !declares(declaration, readiness)
    ? [problemAt(declaration, ["readiness"], `found "${readiness}", which needs ${needs[readiness]}`)]
    : []
}

const backoff = (
  declaration: Declaration<Pick<SettingsTable, "backoff_base_ms" | "backoff_max_ms">>
): ReadonlyArray<Problem> => {
  const { backoff_base_ms: base, backoff_max_ms: max } = declaration.value
  const key = declares(declaration, "backoff_base_ms") ? "backoff_base_ms" : "backoff_max_ms"
  return base > max
    ? [problemAt(declaration, [key], `the first delay, ${base} ms, is longer than the longest, ${max} ms`)]
    : []
}

/**
 * What is wrong with a service.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofService = (
  declaration: Declaration<ServiceTable>,
  inherited: SettingsTable,
  command: CommandLine
): ReadonlyArray<Problem> => {
  const { backoff_base_ms: base, backoff_max_ms: max, depends_on, instances } = declaration.value
  return [
    ...templates(declaration, command),
    ...readiness(declaration),
    ...(base === undefined && max === undefined ? [] : backoff({
      ...declaration,
      value: {
        backoff_base_ms: base ?? inherited.backoff_base_ms,
        backoff_max_ms: max ?? inherited.backoff_max_ms
      }
    })),
    ...repeats(declaration, "depends_on", depends_on),
    ...repeats(declaration, "instances", instances ?? [])
  ]
}

/**
 * What is wrong with `[settings]`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofSettings = backoff

/**
 * What is wrong with a group.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofGroup = (declaration: Declaration<GroupTable>): ReadonlyArray<Problem> =>
  repeats(declaration, "services", declaration.value.services)

/**
 * What is wrong with a line of `[instances]`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofInstances = (declaration: Declaration<ReadonlyArray<string>>): ReadonlyArray<Problem> =>
  repeated(declaration.value).map(([index, id]) =>
    problemAt(declaration, [index], `${JSON.stringify(id)} is listed twice`)
  )
