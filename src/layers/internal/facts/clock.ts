/** @internal */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { type Fact, has, risks } from "../../../domain/HostFacts.ts"
import { unless } from "../../../internal/errno.ts"
import * as LauncherExec from "../../LauncherExec.ts"

// `adjtimex`, for which Node has no call. Modes 0: it only asks.
const callNumbers: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { arm64: 171, x64: 159 }

const unsynchronised = "5"

const sources = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/** Whether somebody keeps the machine's clock right, as the kernel has been told. */
export const look: Effect.Effect<Fact> = Effect.gen(function*() {
  const call = callNumbers[process.arch]
  const answer = call === undefined
    ? undefined
    : yield* Effect.option(LauncherExec.exec("perl", "-e", `print syscall(${call}, my $timex = "\\0" x 256)`))
  const state = answer?._tag === "Some" ? answer.value : undefined
  const source = unless(["ENOENT", "EACCES"], () => Fs.readFileSync(sources, "utf8"))?.trim()
  const by = source === undefined ? "" : `, counted by ${source}`
  if (state === undefined || state === "-1") return has(`whether it is synchronised cannot be told${by}`)
  return state === unsynchronised
    ? risks(
      `nothing keeps it right${by}: times that are shown may be wrong (restart rules do not use it)`,
      "apt-get install systemd-timesyncd"
    )
    : has(`synchronised${by}`)
})
