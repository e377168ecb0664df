/**
 * `npm run mutants`: breaks one rule of the source at a time, in a bundle of its own, and lives one seed after the other
 * until somebody notices. A mutant that nobody notices is a hole in what the simulation looks at.
 */
import * as esbuild from "esbuild"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"

interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

interface Mutant extends Edit {
  readonly name: string
  /** Where two things guard the same, one without the other is no mutant. */
  readonly also?: Edit
}

const decide = "src/domain/decide.ts"
const actor = "src/actors/InstanceActor.ts"

const mutants: ReadonlyArray<Mutant> = [
  {
    name: "what belongs to an earlier run, or to a task that was cancelled, is heard",
    file: decide,
    find: "return event.incarnation === state.incarnation ? ofThisRun(policy, state, event) : step(state)",
    replace: "return ofThisRun(policy, state, event)",
    also: { file: actor, find: "if (ticket !== null && !tasks.isCurrent(ticket)) return", replace: "" }
  },
  {
    name: "one restart more than the intensity allows",
    file: "src/domain/Intensity.ts",
    find: "return within <= intensity.max",
    replace: "return within <= intensity.max + 1"
  },
  {
    name: "the window does not hold its older end",
    file: "src/domain/Intensity.ts",
    find: "if (restart >= at - intensity.windowMs) within++",
    replace: "if (restart > at - intensity.windowMs) within++"
  },
  {
    name: "restarts are not recorded",
    file: decide,
    find: "history: Intensity.record(policy.intensity, state.history, at.mono)",
    replace: "history: state.history"
  },
  {
    name: "a stop during the backoff is not heard",
    file: decide,
    find: "return cause._tag === \"GroupRound\" ? step(state) : move(policy, wanted, { _tag: \"Stopped\" }, cause, [])",
    replace: "return step(wanted)"
  },
  {
    name: "the delay begins anew at each restart",
    file: decide,
    find: "attempt: state.phase._tag === \"Backoff\" ? state.attempt + 1 : state.attempt",
    replace: "attempt: 0"
  },
  {
    name: "the delay does not wait",
    file: decide,
    find: "return step(waiting, [arm(\"backoff\", incarnation, delayMs)])",
    replace: "return step(waiting, [arm(\"backoff\", incarnation, delayMs / 2)])"
  },
  {
    name: "an unknown end is a success",
    file: "src/actors/InstanceCommands.ts",
    find: "const status = yield* process.exited",
    replace:
      "const seen = yield* process.exited; const status = { ...seen, code: seen.signal === null ? seen.code ?? 0 : null }"
  },
  {
    name: "a stop is not written down",
    file: actor,
    find: "return InstanceRecord.write(store, memory, state).pipe(\n          Effect.zipRight(registry",
    replace: "return Effect.void.pipe(\n          Effect.zipRight(registry"
  },
  {
    name: "a promise is not brought to the disk",
    file: actor,
    find: "Effect.zipRight(store.flushed),",
    replace: ""
  },
  {
    name: "the signal is sent again to who is being stopped",
    file: decide,
    find: "): Step => stay(policy, state, { ...phase, shown: \"stopping\", next }, cause, [])",
    replace:
      "): Step => stay(policy, state, { ...phase, shown: \"stopping\", next }, cause, ladder(policy, state.incarnation))"
  },
  {
    name: "nobody is killed after the deadline",
    file: decide,
    find: "return step({ ...state, phase: { ...phase, means: \"kill\" } }, [{ _tag: \"KillTree\", incarnation }])",
    replace: "return step(state)"
  },
  {
    name: "what is starting is not given up in time",
    file: decide,
    find: "if (timer === \"startup\" && phase._tag === \"Starting\") {",
    replace: "if (timer === \"startup\" && phase._tag === \"Up\") {"
  },
  {
    name: "after a crash of the supervisor everything is started anew",
    file: "src/actors/Takeover.ts",
    find: "if (run === null || !hasRun(state)) return",
    replace: "if (run === null || hasRun(state)) return"
  },
  {
    name: "a launch that was cut short is not cleared away",
    file: "src/actors/Tree.ts",
    find: "yield* Takeover.clear(inheritance, config.settings)",
    replace: ""
  },
  {
    name: "a process is not written down before its program runs",
    file: "src/actors/InstanceRun.ts",
    find: "announce: options.announce",
    replace: "announce: () => Effect.void"
  },
  {
    name: "what no file has any more goes on",
    file: "src/actors/Tree.ts",
    find: "orphans.push(yield* Effect.forkIn(ended, above))",
    replace: ""
  },
  {
    name: "who was removed comes back",
    file: "src/actors/InstanceRecord.ts",
    find: "listed: listed.filter((id) => !removed.has(instanceName(name, id)))",
    replace: "listed"
  },
  {
    name: "the boot starts whom a person has stopped",
    file: decide,
    find: "state.phase._tag === \"Stopped\" && state.wanted !== \"stopped\"",
    replace: "state.phase._tag === \"Stopped\""
  },
  {
    name: "a round of the group starts whom a person has stopped",
    file: decide,
    find: "if (state.wanted !== \"running\") return step(state)\n  // It waits",
    replace: "// It waits"
  },
  {
    name: "the schedule is stepped without looking where it is",
    file: "src/layers/Backoff.ts",
    find: "taken === attempt ? next :",
    replace: "taken >= 0 ? next :"
  },
  {
    name: "an interrupted actor leaves who asked it without an answer",
    file: actor,
    find: ".pipe(Effect.onError(() => waiter === null ? Effect.void : Deferred.fail(waiter.reply, lost(memory))))",
    replace: ""
  }
]

const root = path.resolve(import.meta.dirname, "../..")

const bundle = async (mutant: Mutant, to: string) => {
  const edits: ReadonlyArray<Edit> = [mutant, ...mutant.also === undefined ? [] : [mutant.also]]
  const missed = new Set(edits)
  await esbuild.build({
    entryPoints: [path.join(root, "test/sim/run.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: to,
    logLevel: "error",
    banner: { js: "import { createRequire } from \"node:module\"; const require = createRequire(import.meta.url)" },
    plugins: [{
      name: "mutant",
      setup: (build) =>
        build.onLoad({ filter: /\.ts$/ }, ({ path: at }) => {
          const edit = edits.find(({ file }) => file === path.relative(root, at))
          if (edit === undefined) return undefined
          const text = fs.readFileSync(at, "utf8")
          if (text.split(edit.find).length === 2) missed.delete(edit)
          return { contents: text.replace(edit.find, () => edit.replace), loader: "ts" }
        })
    }]
  })
  for (const { file } of missed) throw new Error(`${mutant.name}: what it changes in ${file} is not there, or not once`)
}

/** The seed that noticed, or null. */
const hunt = (program: string, seeds: number) =>
  new Promise<number | null>((resolve, reject) => {
    execFile("node", [program, "--quiet", "--seeds", String(seeds)], { maxBuffer: 1 << 26 }, (error, stdout) => {
      const seed = /^seed (\d+):/m.exec(stdout)?.[1]
      if (error !== null && seed === undefined) return reject(error)
      resolve(seed === undefined ? null : Number(seed))
    })
  })

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "10000" }, only: { type: "string", default: "" } }
})
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-mutants-"))
const queue = mutants.filter(({ name }) => name.includes(values.only))
let escaped = 0
const worker = async () => {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const program = path.join(folder, `${mutants.indexOf(mutant)}.mjs`)
    await bundle(mutant, program)
    const seed = await hunt(program, Number(values.seeds))
    if (seed === null) escaped++
    console.log(`| ${mutant.name} | ${seed === null ? "not noticed" : `seed ${seed}`} |`)
    fs.rmSync(program)
  }
}
await Promise.all([worker(), worker()])
fs.rmSync(folder, { recursive: true })
console.log(`${mutants.length} mutants, ${escaped} not noticed`)
process.exitCode = escaped === 0 ? 0 : 1
