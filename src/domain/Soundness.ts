/**
 * Whether a configuration can be run: its values one by one, and what they have to do with each other. It is all the
 * same whether a file says it or a program.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { allowedBy } from "./Allowed.ts"
import * as Claims from "./Claims.ts"
import type { GroupConfig, ServiceConfig, TenementConfig } from "./Config.ts"
import * as Rules from "./ConfigRules.ts"
import { ConfigInvalid } from "./Errors.ts"
import { type Fault, fault, formatPath, type Path } from "./Fault.ts"
import { found } from "./Found.ts"
import { didYouMean } from "./Nearest.ts"
import * as References from "./References.ts"
import * as Template from "./Template.ts"

const judge = (rules: Readonly<Record<string, Schema.Schema.AnyNoContext>>) => {
  const judges = Object.entries(rules).map(([key, schema]) => ({
    key,
    accepts: Schema.is(schema),
    allowed: Option.getOrElse(allowedBy(schema.ast), () => "something else")
  }))
  return (path: Path, values: object): ReadonlyArray<Fault> =>
    judges.flatMap(({ accepts, allowed, key }) => {
      const value: unknown = Reflect.get(values, key)
      return accepts(value) ? [] : [fault([...path, key], `found ${found(value)}, allowed: ${allowed}`)]
    })
}

const settingsValues = judge(Rules.settings)
const serviceValues = judge(Rules.service)
const groupValues = judge(Rules.group)

const repeats = (path: Path, list: ReadonlyArray<string>): ReadonlyArray<Fault> => {
  const seen = new Set<string>()
  return [...list.entries()].flatMap(([index, element]) =>
    seen.size === seen.add(element).size ? [fault([...path, index], `${JSON.stringify(element)} is listed twice`)] : []
  )
}

const braced = (word: string): string => `{${word}}`

/** Words that stand for something before the service has a socket of its own. */
const early: ReadonlyArray<string> = Template.words.filter((word) => word !== "socket" && word !== "port")

/** A text, where it is, and whether it is read before there is a socket. */
type Text = readonly [path: Path, text: string, early: boolean]

const textFaults = ([path, text, isEarly]: Text, hasPort: boolean): ReadonlyArray<Fault> => [
  ...(text.includes("\0") ? [fault(path, "a NUL character cannot be part of any value")] : []),
  ...[...new Set(Template.wordsOf(text))].flatMap((word) => {
    const known: ReadonlyArray<string> = Template.words
    if (!known.includes(word)) {
      return [fault(
        path,
        `${braced(word)} stands for nothing${didYouMean(word, known)} ` +
          `(there are ${known.map(braced).join(" ")}; {${braced(word)}} is the text itself)`
      )]
    }
    if (isEarly && !early.includes(word)) {
      return [
        fault(path, `${braced(word)} has no meaning in ${String(path[2])}; there are ${early.map(braced).join(" ")}`)
      ]
    }
    return word === "port" && !hasPort
      ? [fault(path, "{port} needs the key `port`, a number or \"auto\"", { needs: "port" })]
      : []
  })
]

const templates = (path: Path, { argv, cwd, env, port, socket }: ServiceConfig): ReadonlyArray<Fault> =>
  [
    ...argv.map((word, index): Text => [[...path, "command", index], word, false]),
    ...Object.entries(env).map(([name, text]): Text => [[...path, "env", name], text, false]),
    [[...path, "cwd"], cwd, true] as const,
    [[...path, "socket"], socket, true] as const
  ].flatMap((text) => textFaults(text, port !== null))

const isVariable = Schema.is(Rules.variable)

const variables = (path: Path, { env, secrets }: ServiceConfig): ReadonlyArray<Fault> =>
  Object.keys({ ...secrets, ...env }).flatMap((name) =>
    isVariable(name)
      ? []
      : [
        fault(
          [...path, "env", name],
          `this is no good name, allowed: ${Option.getOrThrow(allowedBy(Rules.variable.ast))}`
        )
      ]
  )

/**
 * `ownChecks`: a program may have health checks of its own, which need no path to ask for. Otherwise the configuration
 * says all there is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly ownChecks: boolean
}

const needs = {
  health: "the key `health`, the path to ask for",
  port: "the key `port`, a number or \"auto\""
} as const

const readiness = (path: Path, service: ServiceConfig, { ownChecks }: Options): ReadonlyArray<Fault> => {
  const { readiness, socketActivation } = service
  if (readiness === "health" && ownChecks) return []
  if (socketActivation && (readiness === "socket" || readiness === "port")) {
    return [fault(
      [...path, "readiness"],
      `found "${readiness}", but with socket_activation that is open before the program runs; ` +
        "set \"health\", \"notify\" or \"started\""
    )]
  }
  return (readiness === "health" || readiness === "port") && service[readiness] === null
    ? [fault([...path, "readiness"], `found "${readiness}", which needs ${needs[readiness]}`, { needs: readiness })]
    : []
}

/** What the level of isolation cannot give. */
const isolation = (path: Path, service: ServiceConfig): ReadonlyArray<Fault> => {
  const { capabilities, isolation, network, port, privateTmp, sandboxRuntime, socketActivation } = service
  const cannot = (key: "network" | "privateTmp" | "capabilities", advice: string) =>
    fault([...path, key], `found ${found(service[key])}, which isolation = "${isolation}" cannot give; ${advice}`)
  const namespace = "set isolation = \"namespace\""
  return [
    ...(isolation === "sandbox" && sandboxRuntime === "gvisor" && socketActivation
      ? [fault(
        [...path, "socketActivation"],
        "gVisor cannot be handed a socket that listens; set sandbox_runtime = \"bubblewrap\", or leave it out"
      )]
      : []),
    ...(isolation === "process" && network === "none" ? [cannot("network", namespace)] : []),
    ...(isolation === "process" && privateTmp ? [cannot("privateTmp", namespace)] : []),
    ...(isolation !== "namespace" && capabilities.length > 0 ? [cannot("capabilities", namespace)] : []),
    // A socket that the supervisor listens on is in its own network.
    ...(port !== null && network === "none" && !socketActivation
      ? [fault([...path, "port"], "nobody can reach a port without a network; leave it out, or set network = \"host\"")]
      : [])
  ]
}

/** Two runs are there at once, and both are to be reached. */
const rollout = (path: Path, { port, restartMode }: ServiceConfig): ReadonlyArray<Fault> =>
  restartMode === "rolling" && typeof port === "number"
    ? [fault(
      [...path, "restartMode"],
      `found "rolling", but only one run at a time can listen on port ${port}; set port = "auto", or use a socket`
    )]
    : []

const backoff = (path: Path, { backoffBaseMs: base, backoffMaxMs: max }: ServiceConfig): ReadonlyArray<Fault> =>
  base > max
    ? [fault([...path, "backoffBaseMs"], `the first delay, ${base} ms, is longer than the longest, ${max} ms`)]
    : []

const ofService = (config: ServiceConfig, options: Options): ReadonlyArray<Fault> => {
  const path = ["service", config.name]
  return [
    ...serviceValues(path, config),
    ...((config.argv[0] ?? "").trim() === "" ? [fault([...path, "command"], "names no program")] : []),
    ...variables(path, config),
    ...templates(path, config),
    ...readiness(path, config, options),
    ...isolation(path, config),
    ...rollout(path, config),
    ...backoff(path, config),
    ...repeats([...path, "dependsOn"], config.dependsOn),
    ...repeats([...path, "instances"], config.instances)
  ]
}

const ofGroup = (config: GroupConfig): ReadonlyArray<Fault> => {
  const path = ["group", config.name]
  return [
    ...groupValues(path, config),
    ...(config.services.length === 0 ? [fault([...path, "services"], "names no service")] : []),
    ...repeats([...path, "services"], config.services)
  ]
}

/**
 * All that is wrong with a configuration; nothing is, where there is none. `names` are those of its services, and of any
 * that are only missing because they were not understood.
 *
 * @since 0.1.0
 * @category combinators
 */
export const faults = (
  config: TenementConfig,
  names: ReadonlySet<string> = new Set(config.services.keys()),
  options: Options = { ownChecks: false }
): ReadonlyArray<Fault> => [
  ...settingsValues(["settings"], config.settings),
  ...[...config.services.values()].flatMap((service) => ofService(service, options)),
  ...[...config.groups.values()].flatMap(ofGroup),
  ...References.faults(config, names),
  ...Claims.faults(config)
]

/**
 * The configuration, if it can be run.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = (
  config: TenementConfig,
  options: Options = { ownChecks: false }
): Either.Either<TenementConfig, ConfigInvalid> => {
  const [first, ...others] = faults(config, undefined, options).map(({ message, other, path }) => ({
    file: config.file,
    line: null,
    column: null,
    key: formatPath(path),
    message: other === undefined ? message : `${message} (${formatPath(other)})`
  }))
  return first === undefined ? Either.right(config) : Either.left(new ConfigInvalid({ issues: [first, ...others] }))
}
