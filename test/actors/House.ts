/**
 * A tree over a machine that is not real, in a world whose time and whose fibers the test moves.
 */
import * as Effect from "effect/Effect"
import { now } from "../../src/actors/Now.ts"
import * as OpenRequests from "../../src/actors/OpenRequests.ts"
import type { TenementConfig } from "../../src/domain/Config.ts"
import { parts } from "../../src/domain/Names.ts"
import { type Options, SimulatedTree } from "../../src/testkit/SimulatedTree.ts"
import { named } from "./Machine.ts"

const open = new Set<House>()

/** Takes down the houses that are still there: what is forgotten would run for ever, for all that memory knows. */
export const clear = (): void => {
  for (const house of open) {
    house.close()
    house.pass(600_000)
  }
}

/** One history of many: between them the test's own process gets to breathe. */
export const aside = (body: () => void): Effect.Effect<void> =>
  Effect.promise(() => new Promise((resolve) => setImmediate(resolve))).pipe(
    Effect.zipRight(Effect.sync(body)),
    Effect.ensuring(Effect.sync(clear))
  )

export class House extends SimulatedTree {
  constructor(config: TenementConfig, options: Options = {}) {
    super(config, options)
    open.add(this)
  }

  override close() {
    open.delete(this)
    return super.close()
  }
}

/** Sends it a request; what it gives is its end. */
export const begin = (tree: SimulatedTree, name: string): () => void => {
  const [backend] = tree.tenement.traffic.backends(parts(named(name)).service, null)
  if (backend === undefined || backend.run === null) throw new Error(`${name} takes no requests`)
  return OpenRequests.enter(backend.run.requests, () => tree.do(now).mono)
}
