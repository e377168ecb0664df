/**
 * How a running supervisor is replaced. The daemon knows; a server without one refuses.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HandedOver, ShuttingDown } from "../actors/Errors.ts"
import type { StoreFailed } from "../layers/Errors.ts"
import { NotReplaced } from "./Errors.ts"
import type { Succession, Upgrade } from "./Payloads.ts"

/**
 * @since 0.1.0
 * @category errors
 */
export type Refused = NotReplaced | ShuttingDown | HandedOver | StoreFailed

const refused = Effect.suspend(() => new NotReplaced({ reason: "it is part of a program, which has to be replaced" }))

/**
 * @since 0.1.0
 * @category tags
 */
export class Replacement extends Context.Reference<Replacement>()("tenement/control/Replacement", {
  defaultValue: (): {
    /** Starts another supervisor, and gives way to it once it is ready. Done when that one is in charge. */
    readonly upgrade: (request: typeof Upgrade.Type) => Effect.Effect<Succession, Refused>
    /** Gives way to whoever comes next, and ends. Done when the next one may begin. */
    readonly leave: Effect.Effect<void, Refused>
  } => ({ upgrade: () => refused, leave: refused })
}) {}
