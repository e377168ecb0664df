/**
 * What is known of a machine before anything is started on it.
 *
 * @since 0.1.0
 */
import type { ServiceName } from "./Names.ts"

/**
 * Something that was looked at: it is there, it is there and may disappoint, or it is missing. `mend` is what a person
 * does about it.
 *
 * @since 0.1.0
 * @category models
 */
export type Fact =
  | { readonly _tag: "Has"; readonly what: string }
  | { readonly _tag: "Risks"; readonly what: string; readonly mend: string }
  | { readonly _tag: "Lacks"; readonly what: string; readonly mend: string }

/**
 * @since 0.1.0
 * @category constructors
 */
export const has = (what: string): Fact => ({ _tag: "Has", what })

/**
 * @since 0.1.0
 * @category constructors
 */
export const risks = (what: string, mend: string): Fact => ({ _tag: "Risks", what, mend })

/**
 * @since 0.1.0
 * @category constructors
 */
export const lacks = (what: string, mend: string): Fact => ({ _tag: "Lacks", what, mend })

/**
 * What a machine can have and a service can need.
 *
 * @since 0.1.0
 * @category models
 */
export type Ability =
  | "machine"
  | "clock"
  | "logs"
  | "other users"
  | "sd_notify"
  | "namespaces"
  | "user namespaces"
  | "gVisor"
  | "cgroups"
  | "memory limits"
  | "CPU limits"
  | "pids limits"

/**
 * A machine, whatever is to run on it. `openFiles` is how many files the supervisor may hold open.
 *
 * @since 0.1.0
 * @category models
 */
export interface HostFacts {
  readonly abilities: Readonly<Record<Ability, Fact>>
  readonly openFiles: number
}

/**
 * Something that a configuration names, as it is on this machine, and the services that cannot do without.
 *
 * @since 0.1.0
 * @category models
 */
export interface NamedFact {
  readonly about: string
  readonly fact: Fact
  readonly services: ReadonlyArray<ServiceName>
}
