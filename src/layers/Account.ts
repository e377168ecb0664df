/**
 * Who a run belongs to.
 *
 * @since 0.1.0
 */
import { accountOf } from "./internal/accounts.ts"

/**
 * An account of this machine.
 *
 * @since 0.1.0
 * @category models
 */
export interface Account {
  readonly name: string
  readonly home: string
}

/**
 * The account of a name or number, or the supervisor's own for null; `undefined` if the machine has none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const find = (user: string | null): Account | undefined => {
  const entry = accountOf(user)
  const [name, , , , , home] = entry ?? []
  return name === undefined || home === undefined ? undefined : { name, home }
}
