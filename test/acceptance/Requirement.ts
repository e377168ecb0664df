/** What a test asks of the machine that it runs on. */
import * as fs from "node:fs"

/** Whoever runs all of the tests says `CI=true`, and cannot miss one: there the lack is a failure. */
export interface Requirement {
  readonly isSkipped: boolean
  /** What the name of a test says of it: why it is skipped, or nothing. */
  readonly told: string
}

const lacks = (tool: string): boolean => !["/usr/bin", "/usr/sbin"].some((folder) => fs.existsSync(`${folder}/${tool}`))

const obstacle = (tool: string): string | undefined =>
  process.getuid?.() !== 0 ? "it takes root" : lacks(tool) ? `apt-get install ${tool}` : undefined

const because = (reason: string | undefined): Requirement => {
  const isSkipped = reason !== undefined && process.env["CI"] !== "true"
  return { isSkipped, told: isSkipped ? ` (skipped: ${reason})` : "" }
}

/** Root, and a program that is in the package of its name. */
export const rootWith = (tool: string): Requirement => because(obstacle(tool))

/** Programs that are in the packages of their names. */
export const programs = (...tools: ReadonlyArray<string>): Requirement => {
  const lacking = tools.filter(lacks)
  return because(lacking.length === 0 ? undefined : `apt-get install ${lacking.join(" ")}`)
}
