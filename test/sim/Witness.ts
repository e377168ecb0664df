/** What all who look at a life have in common: where they look, and whom they tell. */
import type { ServiceConfig, TenementConfig } from "../../src/domain/Config.ts"
import { type InstanceName, parts } from "../../src/domain/Names.ts"
import type { Machine } from "../../src/testkit/Machine.ts"

export class Witness {
  /** What was wrong. */
  readonly violations: Array<string> = []
  /** What was reached at least once. */
  readonly reached = new Set<string>()
  /** Something that was written down is lost, and counts with it. */
  isLossy = false
  readonly variants: ReadonlyArray<TenementConfig>
  readonly now: () => number
  readonly machine: () => Machine
  /** The configuration of the moment; `null` while nobody can say which one it is. */
  readonly config: () => TenementConfig | null
  /** How late a timer may go off. */
  readonly slackMs: () => number

  constructor(options: Pick<Witness, "variants" | "now" | "machine" | "config" | "slackMs">) {
    this.variants = options.variants
    this.now = options.now
    this.machine = options.machine
    this.config = options.config
    this.slackMs = options.slackMs
  }

  fail(message: string): void {
    this.violations.push(`at ${this.now()} ms: ${message}`)
  }

  reach(what: string): void {
    this.reached.add(what)
  }

  /** The configurations that an instance may run by. */
  configsOf(name: InstanceName): ReadonlyArray<ServiceConfig> {
    return this.variants.flatMap(({ services }) => services.get(parts(name).service) ?? [])
  }
}
