/**
 * A supervisor that runs in a folder of its own, seen from the outside: its API on the control socket, its command
 * line, signals, `/proc`, and what its services say of themselves.
 *
 * Every machine that a test leaves ends with the same sweep: nothing that was started may be left in the process table,
 * in the file system or in the supervisor.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import type * as Views from "../../src/domain/Views.ts"
import { eventually } from "./Eventually.ts"
import * as Fx from "./Fx.ts"
import * as Http from "./Http.ts"
import * as Proc from "./Proc.ts"
import * as Site from "./Site.ts"
import * as Sweep from "./Sweep.ts"

export type InstanceView = typeof Views.InstanceView.Encoded
export type Description = typeof Views.Description.Encoded
export type Outcome = typeof Views.Outcome.Encoded

/** `web` is short for `web:default`. */
export const full = (name: string): string => name.includes(":") ? name : `${name}:default`

export interface Machine extends Site.Site {
  readonly supervisor: Site.Running
  readonly api: (path: string, request?: Http.Request) => Effect.Effect<Http.Answer>
  readonly list: Effect.Effect<ReadonlyArray<InstanceView>>
  readonly describe: (name: string) => Effect.Effect<Description>
  readonly view: (name: string) => Effect.Effect<InstanceView>
  /** Waits until an instance is as `holds` says, or in the state of that name. */
  readonly until: (name: string, holds: string | ((view: InstanceView) => boolean)) => Effect.Effect<InstanceView>
  readonly ask: (verb: "start" | "stop" | "restart" | "probe", name: string) => Effect.Effect<Http.Answer>
  /** A stop that succeeds. */
  readonly stop: (name: string) => Effect.Effect<Outcome>
  /** What really happened: of one instance, or of all. */
  readonly truth: (name?: string) => Effect.Effect<ReadonlyArray<Fx.Entry>>
  readonly starts: (name: string) => Effect.Effect<ReadonlyArray<Fx.Entry>>
  /** Waits until the newest run of each is through its steps. */
  readonly untilUp: (...names: ReadonlyArray<string>) => Effect.Effect<void>
  readonly untilTruth: (
    what: string,
    name: string,
    holds: (records: ReadonlyArray<Fx.Entry>) => boolean
  ) => Effect.Effect<ReadonlyArray<Fx.Entry>>
  /** What the service answers from now on. */
  readonly answer: (name: string, answer: string) => Effect.Effect<void>
  /** Makes the file that a service awaits. */
  readonly touch: (name: string) => Effect.Effect<void>
  /** Deletes it. */
  readonly remove: (name: string) => Effect.Effect<void>
  /** SIGTERM, and the wait for the end. */
  readonly terminate: Effect.Effect<Site.Exit>
}

/** Starts `serve` and waits until it answers. */
export const serve = (
  site: Site.Site,
  options?: Site.RunOptions,
  words: ReadonlyArray<string> = ["serve", "--config", site.file]
): Effect.Effect<Site.Running, never, Scope.Scope> =>
  Effect.gen(function*() {
    const supervisor = yield* site.run(words, options)
    const died = Effect.flatMap(
      supervisor.exited,
      (exit) =>
        Effect.flatMap(
          supervisor.stderr,
          (stderr) => Effect.die(new Error(`serve ended: ${JSON.stringify(exit)}\n${stderr}`))
        )
    )
    yield* eventually(
      "the control socket answers",
      Effect.either(Http.request(site.socket, "/health")),
      (answer) => Either.isRight(answer) && answer.right.status === 200
    ).pipe(Effect.raceFirst(died))
    return supervisor
  })

/** The machine's own doors, on a site whose supervisor runs. */
export const on = (site: Site.Site, supervisor: Site.Running): Machine => {
  const api = (path: string, request?: Http.Request) => Effect.orDie(Http.request(site.socket, path, request))
  const truth = (name?: string) =>
    Effect.sync(() => {
      const records = Fx.records(`${site.root}/truth`)
      return name === undefined ? records : records.filter((record) => record.instance === full(name))
    })
  const list = Effect.map(api("/api/instances"), ({ json }) => json as ReadonlyArray<InstanceView>)
  const describe = (name: string) =>
    Effect.map(api(`/api/instances/${full(name)}`), ({ json, status, text }) => {
      assert.strictEqual(status, 200, text)
      return json as Description
    })
  const view = (name: string) => Effect.map(describe(name), ({ instance }) => instance)
  const ask = (verb: string, name: string) => api(`/api/instances/${full(name)}/${verb}`, { method: "POST" })
  return {
    ...site,
    supervisor,
    api,
    list,
    describe,
    view,
    ask,
    truth,
    until: (name, holds) =>
      typeof holds === "string"
        ? eventually(`${name} is ${holds}`, view(name), ({ state }) => state === holds)
        : eventually(`${name} is as expected`, view(name), holds),
    stop: (name) =>
      Effect.map(ask("stop", name), ({ json, status, text }) => {
        assert.strictEqual(status, 200, text)
        return json as Outcome
      }),
    starts: (name) => Effect.map(truth(name), (records) => records.filter(({ event }) => event === "start")),
    untilUp: (...names) =>
      Effect.forEach(
        names,
        (name) =>
          eventually(`${name} is up`, truth(name), (entries) =>
            entries.findLast(({ event }) =>
                event === "start" || event === "up" || event === "listening"
              )?.event !== "start" &&
            entries.length > 0),
        { discard: true }
      ),
    untilTruth: (what, name, holds) => eventually(what, truth(name), holds),
    // Renamed into place: the service must not read it half written.
    answer: (name, answer) =>
      Effect.sync(() => {
        fs.writeFileSync(`${site.root}/answers/.next`, answer)
        fs.renameSync(`${site.root}/answers/.next`, `${site.root}/answers/${full(name)}`)
      }),
    touch: (name) => Effect.sync(() => fs.writeFileSync(`${site.root}/${name}`, "")),
    remove: (name) => Effect.sync(() => fs.rmSync(`${site.root}/${name}`)),
    terminate: Effect.zipRight(supervisor.signal("SIGTERM"), supervisor.exited)
  }
}

/** Descriptors of a supervisor that has nothing to supervise. */
const bareDescriptors = Effect.runSync(Effect.cached(Effect.scoped(
  Effect.gen(function*() {
    const site = yield* Site.make({ service: { none: Fx.service({ instances: [] }) } })
    const supervisor = yield* serve(site)
    const machine = on(site, supervisor)
    yield* machine.list
    const count = Proc.descriptors(supervisor.pid).size
    yield* machine.terminate
    return count
  })
)))

/** `before` is done in the folder before the supervisor is started. */
export interface Options extends Site.RunOptions {
  readonly before?: (root: string) => void
  /** Gives `data_dir` a file system of its own, as large as this (`4m`). Takes root. */
  readonly volume?: string
  /** How many descriptors the supervisor has for good beyond those that any has. */
  readonly extraDescriptors?: number
}

/** A machine whose supervisor can be killed. */
export interface Mortal extends Machine {
  /** `kill -9`, and another supervisor; `meanwhile` is done when the one is gone and the other is not there yet. */
  readonly kill: (meanwhile?: Effect.Effect<unknown>) => Effect.Effect<Mortal>
  /** Another supervisor in the place of this one, which is gone when this is done. */
  readonly upgrade: (...words: ReadonlyArray<string>) => Effect.Effect<Mortal>
  /** The same machine with the supervisor that is in charge now, whoever started it. */
  readonly succeeded: Effect.Effect<Mortal>
  /** Another `serve`, with these words, which comes to be in charge beside or after this one. */
  readonly followedBy: (...words: ReadonlyArray<string>) => Effect.Effect<Mortal>
}

const volume = (folder: string, size: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      fs.mkdirSync(folder, { mode: 0o700 })
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", folder])
    }),
    // At once, whatever a test that failed has left in it.
    () => Effect.sync(() => execFileSync("umount", ["--lazy", folder]))
  )
/** A supervisor that another one has started: how it ended is not ours to know, only that it did. */
const foreign = (pid: number, { stderr, stdout }: Site.Running): Site.Running => ({
  pid,
  stdout,
  stderr,
  exited: Effect.as(
    eventually(`pid ${pid} has ended`, Effect.sync(() => Proc.isAlive(pid)), (alive) => !alive, "60 seconds"),
    { code: 0, signal: null }
  ),
  signal: (signal) => Effect.sync(() => void process.kill(pid, signal))
})

/** A machine for one test, and the sweep after it: of the last supervisor that it had. */
export const make = (file: Site.File, options: Options = {}): Effect.Effect<Mortal, never, Scope.Scope> =>
  Effect.gen(function*() {
    const bare = yield* bareDescriptors
    const site = yield* Site.make(file)
    if (options.volume !== undefined) yield* volume(site.dataDir, options.volume)
    options.before?.(site.root)
    const latest: { machine: Mortal | null } = { machine: null }
    // Open until after the sweep.
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const mortal = (supervisor: Site.Running): Mortal => {
      const gone = eventually("it is gone", Effect.sync(() => Proc.isAlive(supervisor.pid)), (alive) => !alive)
      const succeeded = Effect.gen(function*() {
        const { json } = yield* Effect.orDie(Http.request(site.socket, "/health"))
        const { pid } = json as { readonly pid: number }
        yield* Scope.addFinalizer(
          scope,
          Effect.sync(() => Proc.isAlive(pid) ? process.kill(pid, "SIGKILL") : undefined)
        )
        return mortal(foreign(pid, supervisor))
      })
      const machine: Mortal = {
        ...on(site, supervisor),
        kill: (meanwhile = Effect.void) =>
          Effect.zipRight(Effect.all([supervisor.signal("SIGKILL"), gone, meanwhile], { discard: true }), start),
        upgrade: (...words) =>
          Effect.gen(function*() {
            const { code, stderr } = yield* site.cli("upgrade", ...words)
            assert.strictEqual(code, 0, stderr)
            const next = yield* succeeded
            assert.notStrictEqual(next.supervisor.pid, supervisor.pid)
            yield* gone
            return next
          }),
        succeeded,
        followedBy: (...words) =>
          Effect.gen(function*() {
            yield* Scope.extend(site.run(["serve", ...words, "--config", site.file], options), scope)
            yield* eventually(
              "another one answers",
              Effect.either(Http.request(site.socket, "/health")),
              (answer) =>
                Either.isRight(answer) &&
                (answer.right.json as { readonly pid: number } | undefined)?.pid !== supervisor.pid
            )
            return yield* succeeded
          })
      }
      latest.machine = machine
      return machine
    }
    const start: Effect.Effect<Mortal> = Effect.map(Scope.extend(serve(site, options), scope), mortal)
    const machine = yield* start
    yield* Effect.addFinalizer((exit) =>
      Exit.isSuccess(exit)
        ? Effect.interruptible(Sweep.after(latest.machine ?? machine, bare + (options.extraDescriptors ?? 0)))
        : report(latest.machine ?? machine)
    )
    return machine
  })

/** What the supervisor had to say, where a test failed. */
const report = ({ supervisor }: Machine) =>
  Effect.flatMap(supervisor.stderr, (stderr) =>
    Effect.sync(() => {
      if (stderr !== "") process.stderr.write(`--- supervisor ${supervisor.pid} ---\n${stderr.slice(-4000)}\n`)
    }))
