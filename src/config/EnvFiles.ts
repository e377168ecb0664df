/**
 * Reads the files that `env_file` names.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Path from "node:path"
import type { ServiceName } from "../domain/Names.ts"
import { type Declaration, within } from "./Declarations.ts"
import * as EnvFile from "./EnvFile.ts"
import { atLine, atValue, type Problem } from "./Problem.ts"
import { readText } from "./ReadText.ts"
import type { ServiceTable } from "./ServiceTable.ts"

/**
 * The variables that services get from their files.
 *
 * @since 0.1.0
 * @category models
 */
export interface Secrets {
  readonly of: ReadonlyMap<ServiceName, Readonly<Record<string, string>>>
  readonly problems: ReadonlyArray<Problem>
}

/**
 * The absolute paths of a service's files.
 *
 * @since 0.1.0
 * @category combinators
 */
export const pathsOf = ({ source, value }: Declaration<ServiceTable>): ReadonlyArray<string> =>
  (value.env_file ?? []).map((file) => Path.resolve(Path.dirname(source.path), file))

/**
 * Reads each file once. A later file counts more than an earlier one, and `env` more than both.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read = Effect.fn("EnvFiles.read")(function*(
  services: ReadonlyMap<ServiceName, Declaration<ServiceTable>>
) {
  const problems: Array<Problem> = []
  const of = new Map<ServiceName, Readonly<Record<string, string>>>()
  const parsed = new Map<string, ReadonlyMap<string, string>>()

  const variablesOf = Effect.fnUntraced(function*(path: string, refuse: (message: string) => Problem) {
    const known = parsed.get(path)
    if (known !== undefined) return known
    const text = yield* Effect.either(readText(path))
    if (Either.isLeft(text)) {
      problems.push(refuse(`${path}: ${text.left.message}`))
      return new Map<string, string>()
    }
    const variables = EnvFile.parse(text.right)
    if (Either.isLeft(variables)) {
      for (const { line, message } of variables.left) problems.push(atLine(path, message, line))
    }
    const found = Either.getOrElse(variables, () => new Map<string, string>())
    parsed.set(path, found)
    return found
  })

  for (const [name, declaration] of services) {
    const { path, source } = within(declaration, "env_file")
    const secrets = new Map<string, string>()
    for (const file of pathsOf(declaration)) {
      for (const [variable, value] of yield* variablesOf(file, (message) => atValue(source, path, message))) {
        secrets.set(variable, value)
      }
    }
    for (const variable of Object.keys(declaration.value.env ?? {})) secrets.delete(variable)
    of.set(name, Object.fromEntries(secrets))
  }
  return { of, problems } satisfies Secrets
})
