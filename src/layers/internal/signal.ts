/** @internal */
import { codeOf } from "../../internal/errno.ts"

/** What became of a signal: a process that has changed its user cannot be signalled by everybody. */
export type Delivery = "sent" | "gone" | "denied"

/** Signals a process, or with a negative number a group; with 0 only asks. */
export const send = (pid: number, signal: NodeJS.Signals | 0): Delivery => {
  try {
    process.kill(pid, signal)
    return "sent"
  } catch (error) {
    const code = codeOf(error)
    if (code === "ESRCH") return "gone"
    if (code === "EPERM") return "denied"
    throw error
  }
}
