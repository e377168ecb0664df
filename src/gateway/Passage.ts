/**
 * A request on its way to an instance, until its answer is over.
 *
 * @since 0.1.0
 */
import type * as Net from "node:net"
import type { ServiceName } from "../domain/Names.ts"
import { Choice, type Guard, type Target, type Ways as ChoiceWays } from "./Choice.ts"
import type { Asking } from "./Exchange.ts"
import type { Refusal } from "./Refusal.ts"
import type { Upstream } from "./Upstream.ts"

/**
 * What all of them share. `defect` reports one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ways extends ChoiceWays {
  readonly upstream: Upstream
  readonly defect: (cause: unknown) => void
}

/**
 * What is the same however the answer goes out.
 *
 * @since 0.1.0
 * @category models
 */
export abstract class Passage implements Asking, Guard {
  protected readonly ways: Ways
  protected readonly service: ServiceName
  protected readonly choice: Choice
  readonly #begun = performance.now()

  constructor(ways: Ways, target: Target) {
    this.ways = ways
    this.service = target.service
    this.choice = new Choice(ways, target, this)
  }

  /** Says so to who has asked. */
  protected abstract answer(refusal: Refusal): void
  /** Ends it, whatever has been said. */
  protected abstract giveUp(): void
  abstract brokeOff(): void

  to(then: Parameters<Asking["to"]>[0]): void {
    this.choice.to(then)
  }

  connected(socket: Net.Socket): void {
    this.choice.connected(socket)
  }

  isOverdue(): boolean {
    return this.choice.isOverdue()
  }

  refuse(refusal: Refusal): void {
    if (refusal.kind !== null) this.ways.traffic.refused(this.service, refusal.kind)
    this.answer(refusal)
  }

  /** A defect in one request is the end of that request. */
  guarded(act: () => void): void {
    try {
      act()
    } catch (defect) {
      this.ways.defect(defect)
      this.giveUp()
    }
  }

  /** Counts the answer, and what it took. */
  protected count(code: number): void {
    const seconds = (performance.now() - this.#begun) / 1000
    this.ways.traffic.answered({ service: this.service, instance: this.choice.instance, code, seconds })
  }
}
