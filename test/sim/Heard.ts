/** What the supervisor tells of itself. */
import type { NewEvent } from "../../src/layers/Events.ts"

export type Transition = Extract<NewEvent, { readonly _tag: "Transition" }>
