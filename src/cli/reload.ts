/**
 * `tenement reload`.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import type { ReloadPlan } from "../domain/Views.ts"
import { connect } from "./Connect.ts"
import { Reported } from "./Errors.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Plan from "./render/Plan.ts"
import { complain, print, printJson, Session } from "./Session.ts"

const conclusion = (plan: ReloadPlan): ReadonlyArray<string> =>
  plan.changes.length === 0
    ? []
    : [plan.applied ? "applied" : "nothing was changed (--dry-run); `tenement reload` applies it"]

/**
 * @since 0.1.0
 * @category commands
 */
export const reload = Command.make(
  "reload",
  {
    dryRun: Options.boolean("dry-run").pipe(Options.withDescription("shows the difference and changes nothing"))
  },
  Effect.fnUntraced(function*({ dryRun }) {
    const { globals, out } = yield* Session
    const { tree } = yield* connect
    const plan = (dryRun: boolean) => tree.reload({ urlParams: { dryRun } })
    const apply = Effect.gen(function*() {
      if (globals.json) return yield* Effect.tap(plan(dryRun), printJson)
      // What will be done is told before it is done.
      const before = yield* plan(true)
      yield* print(Plan.lines(before, out.palette))
      const after = dryRun || before.changes.length === 0 ? before : yield* plan(false)
      yield* print(conclusion(after))
      return after
    })
    const { problems } = yield* apply
    if (problems.length === 0) return
    for (const message of problems) yield* complain({ _tag: "NotReady", message })
    return yield* new Reported({ code: ExitCode.codes.failed })
  })
).pipe(Command.withDescription("Applies what changed in the file, and only that, after showing the difference."))
