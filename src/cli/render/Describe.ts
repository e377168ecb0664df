/**
 * All that is known of an instance: what `tenement describe` prints.
 *
 * @since 0.1.0
 */
import { describeStatus } from "../../domain/Exit.ts"
import * as Explain from "../../domain/Explain.ts"
import type { Description } from "../../domain/Views.ts"
import { quoted } from "../../internal/quoted.ts"
import * as Duration from "./Duration.ts"
import * as Palette from "./Palette.ts"
import { wrap } from "./Text.ts"
import type { Options } from "./Why.ts"
import { because, printed } from "./Why.ts"

const shown = (word: string): string => /^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word)

type Fact = readonly [name: string, value: string | null]

const facts = (it: Description, { now, palette }: Options): ReadonlyArray<Fact> => {
  const { instance, restart } = it
  const { lastExit } = instance
  return [
    ["state", Palette.ofState(palette, instance.state)(instance.state)],
    ["health", instance.health],
    ["wanted", it.wanted],
    ["group", it.group],
    ["pid", instance.pid === null ? null : String(instance.pid)],
    [
      "started",
      instance.startedAt === null
        ? null
        : `${Duration.clock(instance.startedAt, now)} (up ${Explain.duration((instance.uptimeSeconds ?? 0) * 1000)})`
    ],
    ["run", String(it.incarnation)],
    ["memory", instance.memoryMb === null ? null : `${instance.memoryMb.toFixed(1)} MB`],
    ["cpu", instance.cpuPercent === null ? null : `${instance.cpuPercent.toFixed(1)} % of a core`],
    ["socket", instance.socket],
    ["port", instance.port === null ? null : String(instance.port)],
    ["weight", String(instance.weight)],
    [
      "last exit",
      lastExit === null
        ? null
        : `${lastExit.reason} (${describeStatus(lastExit)}) at ${Duration.clock(lastExit.at, now)}`
    ],
    ["next start", instance.nextStartAt === null ? null : Duration.clock(instance.nextStartAt, now)],
    [
      "restart",
      `${restart.policy}; ${restart.attempt} in a row, ${instance.restarts} in all; ${restart.inWindow} of ${
        restart.maxRestarts ?? "any number"
      } within ${Explain.duration(restart.windowSeconds * 1000)}`
    ],
    ["command", it.command.map(shown).join(" ")],
    ["folder", it.cwd],
    ["environment", it.environment.length === 0 ? null : it.environment.join(" ")],
    ["depends on", it.dependsOn.length === 0 ? null : it.dependsOn.join(", ")],
    ["waits for", it.waitingFor.length === 0 ? null : it.waitingFor.join(", ")]
  ]
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const lines = (it: Description, options: Options): ReadonlyArray<string> => {
  const { now, palette, room } = options
  const known = facts(it, options).filter((fact): fact is readonly [string, string] => fact[1] !== null)
  const column = Math.max(...known.map(([name]) => name.length)) + 2
  return [
    palette.strong(it.instance.name),
    ...known.map(([name, value]) =>
      wrap(`  ${palette.faint(name.padEnd(column))}${value}`, room, " ".repeat(column + 2))
    ),
    ...(it.history.length === 0 ? [] : ["", palette.strong("history, oldest first")]),
    ...it.history.map(({ at, cause, from, incarnation, to }) =>
      wrap(
        `  ${Duration.clock(at, now)}  run ${incarnation}  ${from} → ${Palette.ofState(palette, to)(to)}: ${
          because(cause)
        }`,
        room,
        "            "
      )
    ),
    ...(it.lastLines.length === 0 ? [] : ["", palette.strong("the last it printed")]),
    ...it.lastLines.map((line) => printed(line, palette))
  ]
}
