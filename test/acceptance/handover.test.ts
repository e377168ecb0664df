import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as fs from "node:fs"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import * as KillPoints from "./KillPoints.ts"
import { type Machine, make, type Mortal } from "./Machine.ts"
import * as Proc from "./Proc.ts"
import { rootWith } from "./Requirement.ts"
import * as Site from "./Site.ts"

type Role = "old" | "new"

/** What each of them asks of the kernel meanwhile, and one of these calls in the midst of them. */
const calls: Readonly<Record<Role, ReadonlyArray<readonly [name: string, names: string, usually: number]>>> = {
  old: [["write", KillPoints.calls.write, 6], ["message", "sendmsg,recvmsg", 2], [
    "unlink",
    KillPoints.calls.unlink,
    2
  ]],
  new: [
    ["write", KillPoints.calls.write, 9],
    ["open", KillPoints.calls.open, 30],
    ["message", "sendmsg,recvmsg", 1],
    ["rename", KillPoints.calls.rename, 1],
    ["unlink", KillPoints.calls.unlink, 2],
    ["connect", KillPoints.calls.connect, 1]
  ]
}

const processes = (machine: Machine, isWanted: (program: string | undefined) => boolean) =>
  Proc.withArgument(machine.root).filter((pid) => {
    const [program, ...words] = Proc.commandLine(pid)
    return words.includes("serve") && isWanted(program)
  })

const supervisors = (machine: Machine) => processes(machine, (program) => program !== "strace")

/** What is done from now on is not counted. */
const letGo = (machine: Machine) =>
  Effect.sync(() => {
    for (const tracer of processes(machine, (program) => program === "strace")) process.kill(tracer, "SIGKILL")
  })

/** A supervisor that is killed at one of its own calls. */
const mortalProgram = (root: string, names: string, count: number): string => {
  const file = `${root}/mortal`
  const words = [
    "strace",
    "-D",
    ...KillPoints.words(names, count),
    "-o",
    `${root}/calls`,
    process.execPath,
    Site.program
  ]
  fs.writeFileSync(file, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(" ")} "$@"\n`, { mode: 0o755 })
  return file
}

const gone = (pid: number) =>
  eventually(`${pid} is gone`, Effect.sync(() => Proc.isAlive(pid)), (alive) => !alive, "60 seconds")

/** How long one life may take, on a busy machine. */
const patienceMs = 120_000

/** Replaces the supervisor, with the death of one of them at this point. */
const replaceAt = (role: Role, machine: Mortal, names: string, count: number) =>
  role === "old"
    ? Effect.scoped(Effect.gen(function*() {
      const tracer = yield* KillPoints.arm(machine.supervisor.pid, names, count, `${machine.root}/calls`)
      yield* machine.cli("upgrade")
      yield* gone(machine.supervisor.pid)
      yield* eventually("all is written", Effect.sync(() => tracer.exitCode), (code) => code !== null)
    }))
    : Effect.zipRight(
      machine.cli("upgrade", "--program", mortalProgram(machine.root, names, count)),
      letGo(machine)
    )

/** Whether that point came. */
const dieAt = (role: Role, names: string, count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const web = { socket: "{data_dir}/{name}-{id}.sock", health: "/health" }
    const machine = yield* make({ service: { web: Fx.service({ ...web, instances: ["a", "b"] }, "serve=200") } })
    for (const name of ["web:a", "web:b"]) yield* machine.until(name, "healthy")
    const identities = (on: Machine) =>
      Effect.map(on.list, (all) => all.map(({ name, pid, restarts }) => [name, Proc.identity(pid!), restarts]))
    const before = yield* identities(machine)
    yield* replaceAt(role, machine, names, count)
    const left = yield* eventually(
      "one is in charge, or nobody is left",
      Effect.all([
        Effect.sync(() => supervisors(machine)),
        Effect.option(
          Effect.map(Http.request(machine.socket, "/health"), ({ json }) => json as { readonly pid: number })
        )
      ]),
      ([all, answer]) =>
        all.length === 0 || (all.length === 1 && answer._tag === "Some" && answer.value.pid === all[0]),
      "60 seconds"
    )
    const next = yield* left[0].length === 0 ? machine.kill() : machine.succeeded
    assert.deepStrictEqual(yield* identities(next), before, "they are the same processes")
    for (const name of ["web:a", "web:b"]) yield* next.until(name, "healthy")
    assert.isTrue(Either.isRight(yield* Effect.either(next.stop("web:a"))), "it does what it is told")
    return fs.readFileSync(`${machine.root}/calls`, "utf8").includes("killed by SIGKILL")
  }))

const requirement = rootWith("strace")

describe("a handover in which one supervisor is killed at a system call", () => {
  for (const role of ["old", "new"] as const) {
    for (const [name, names, usually] of calls[role]) {
      const points = KillPoints.orSome([usually])
      it.live.skipIf(requirement.isSkipped)(
        `the ${role} one, to ${name}: somebody goes on with what there is${requirement.told}`,
        () =>
          Effect.gen(function*() {
            let covered = 0
            const failed: Array<string> = []
            for (const count of points) {
              const came = yield* Effect.exit(dieAt(role, names, count))
              if (Exit.isFailure(came)) failed.push(`number ${count}: ${Cause.pretty(came.cause)}`)
              else if (!came.value) break
              covered += 1
            }
            process.stderr.write(`the ${role} one was killed at ${covered} calls to ${name}\n`)
            assert.deepStrictEqual(failed, [])
            assert.isAbove(covered, 0, "none was made")
          }),
        points.length * patienceMs
      )
    }
  }
})
