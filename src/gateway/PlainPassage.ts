/**
 * A plain request, answered in its lane.
 *
 * @since 0.1.0
 */
import type { Target } from "./Choice.ts"
import { Exchange } from "./Exchange.ts"
import type { Lane, Served } from "./Lane.ts"
import { Passage, type Ways } from "./Passage.ts"
import type { PlainRequest } from "./PlainRequest.ts"
import type { Refusal } from "./Refusal.ts"

/**
 * @since 0.1.0
 * @category models
 */
export class PlainPassage extends Passage implements Served {
  readonly #lane: Lane
  readonly #exchange: Exchange

  constructor(ways: Ways, target: Target, request: PlainRequest, lane: Lane) {
    super(ways, target)
    this.#lane = lane
    this.#exchange = new Exchange(ways.upstream, request, this, lane)
  }

  /** `false` where there is more to it than an instance that is ready: nothing has been done then. */
  begin(): boolean {
    const ready = this.choice.ready()
    if (ready === null || "status" in ready) {
      this.choice.leave()
      return false
    }
    this.#exchange.beginAt(ready)
    return true
  }

  leave(): void {
    this.#exchange.abort()
  }

  closed(code: number): void {
    this.choice.leave()
    if (code === 499) this.ways.traffic.refused(this.service, "client-left")
    this.count(code)
  }

  brokeOff(): void {
    this.ways.traffic.refused(this.service, "broken-off")
    this.#lane.cut()
  }

  protected answer(refusal: Refusal): void {
    this.#lane.refuse(refusal)
  }

  protected giveUp(): void {
    this.#lane.cut()
  }
}
