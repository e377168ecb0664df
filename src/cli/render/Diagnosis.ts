/**
 * What was found of a machine.
 *
 * @since 0.1.0
 */
import type { TenementConfig } from "../../domain/Config.ts"
import type { Finding } from "../../domain/Diagnosis.ts"
import * as Explain from "../../domain/Explain.ts"
import * as Palette from "./Palette.ts"
import { listed, wrap } from "./Text.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly room: number | null
  readonly palette: Palette.Palette
}

const paint = { ok: "good", warning: "warn", error: "bad" } as const

const mostNamed = 8

const named = (services: ReadonlyArray<string>): string => {
  const rest = services.length - mostNamed
  return listed(rest > 1 ? [...services.slice(0, mostNamed), `${rest} others`] : services)
}

const below = ({ level, mend, services }: Finding): ReadonlyArray<string> => [
  ...(level === "error" ? [`needed by ${named(services)}`] : []),
  ...(mend === null ? [] : [`mend: ${mend}`])
]

/**
 * A paragraph for each finding.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lines = (findings: ReadonlyArray<Finding>, { palette, room }: Options): ReadonlyArray<string> => {
  const column = Math.max(0, ...findings.map(({ about }) => about.length))
  const indent = " ".repeat("warning".length + column + 4)
  return findings.flatMap((finding) => {
    const { about, level, what } = finding
    const [first = "", ...rest] = [what, ...below(finding)].map((text) =>
      wrap(`${indent}${Palette.harmless(text)}`, room, indent)
    )
    const sign = palette[paint[level]](level) + " ".repeat("warning".length - level.length)
    return [`${sign}  ${about.padEnd(column)}  ${first.slice(indent.length)}`, ...rest]
  })
}

/**
 * What keeps services of a file from being started here, a line for each, at the place of the first service concerned.
 *
 * @since 0.1.0
 * @category combinators
 */
export const warnings = (config: TenementConfig, findings: ReadonlyArray<Finding>): ReadonlyArray<string> =>
  findings.map(({ about, mend, services, what }) => {
    const source = services.flatMap((name) => config.services.get(name)?.source ?? [])[0]
    const place = source === undefined ? config.file : `${source.file}:${source.line}`
    return Palette.harmless(`${place}: warning: here, for ${named(services)}: ${about}: ${what}; mend: ${mend}`)
  })

/**
 * All of them in one line.
 *
 * @since 0.1.0
 * @category combinators
 */
export const summary = (
  file: string | null,
  findings: ReadonlyArray<Finding>,
  palette: Palette.Palette
): string => {
  const count = (level: Finding["level"]) => findings.filter((finding) => finding.level === level).length
  const errors = count("error")
  const verdict = file === null
    ? "no file was found: these are the facts of the machine alone"
    : errors === 0
    ? `${file}: ${palette.good("this machine can run it")}`
    : `${file}: ${palette.bad("this machine cannot run it as it stands")}, ${Explain.count(errors, "error")}`
  const warnings = count("warning")
  return warnings === 0 ? verdict : `${verdict}; ${Explain.count(warnings, "warning")}`
}
