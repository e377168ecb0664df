/**
 * One rule of the source broken at a time. A mutant that nobody notices is a hole in what the simulation looks at.
 */
import type { Edit } from "./Bundle.ts"

interface Mutant extends Edit {
  readonly name: string
  /** Where several things guard the same, one without the others is no mutant. */
  readonly also?: ReadonlyArray<Edit>
}

/** All that is changed in the source. */
export const editsOf = (mutant: Mutant): ReadonlyArray<Edit> => [mutant, ...mutant.also ?? []]

const decide = "src/domain/decide.ts"
const wishes = "src/domain/Wishes.ts"
const runEvents = "src/domain/RunEvents.ts"
const steps = "src/domain/Steps.ts"
const actor = "src/actors/InstanceActor.ts"

/** What is broken, one at a time. */
export const all: ReadonlyArray<Mutant> = [
  {
    name: "what belongs to an earlier run, or to a task that was cancelled, is heard",
    file: decide,
    find: "return event.incarnation === state.incarnation ? RunEvents.decide(policy, state, event) : step(state)",
    replace: "return RunEvents.decide(policy, state, event)",
    also: [
      { file: actor, find: "if (ticket !== null && !tasks.isCurrent(ticket)) return", replace: "" },
      {
        file: "src/actors/Tasks.ts",
        find: "tickets.get(name)?.fiber?.unsafeInterruptAsFork(FiberId.none)",
        replace: ""
      }
    ]
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
    file: runEvents,
    find: "history: Intensity.record(policy.intensity, state.history, at.mono)",
    replace: "history: state.history"
  },
  {
    name: "a stop during the backoff is not heard",
    file: wishes,
    find: "return cause._tag === \"GroupRound\" ? step(state) : move(policy, wanted, { _tag: \"Stopped\" }, cause, [])",
    replace: "return step(wanted)"
  },
  {
    name: "the delay begins anew at each restart",
    file: steps,
    find: "attempt: state.phase._tag === \"Backoff\" ? state.attempt + 1 : state.attempt",
    replace: "attempt: 0"
  },
  {
    name: "the delay does not wait",
    file: runEvents,
    find: "return step(waiting, [arm(\"backoff\", incarnation, delayMs)])",
    replace: "return step(waiting, [arm(\"backoff\", incarnation, delayMs / 2)])"
  },
  {
    name: "an unknown end is a success",
    file: "src/actors/RunWatch.ts",
    find: "const status = yield* process.exited",
    replace:
      "const seen = yield* process.exited; const status = { ...seen, code: seen.signal === null ? seen.code ?? 0 : null }"
  },
  {
    name: "a stop is not written down",
    file: actor,
    find: "note(memory, commands, at)\n          return InstanceRecord.write(store, memory, main)",
    replace: "note(memory, commands, at)\n          return Effect.void"
  },
  {
    name: "a promise is not brought to the disk",
    file: actor,
    find: "Effect.zipRight(store.flushed),",
    replace: ""
  },
  {
    name: "the signal is sent again to who is being stopped",
    file: steps,
    find: "): Step => stay(policy, state, { ...phase, shown: \"stopping\", next }, cause, [])",
    replace:
      "): Step => stay(policy, state, { ...phase, shown: \"stopping\", next }, cause, ladder(policy, state.incarnation))"
  },
  {
    name: "nobody is killed after the deadline",
    file: runEvents,
    find: "return step({ ...state, phase: { ...phase, means: \"kill\" } }, [{ _tag: \"KillTree\", incarnation }])",
    replace: "return step(state)"
  },
  {
    name: "what is starting is not given up in time",
    file: runEvents,
    find: "if (timer === \"startup\" && phase._tag === \"Starting\") {",
    replace: "if (timer === \"startup\" && phase._tag === \"Up\") {"
  },
  {
    name: "after a crash of the supervisor everything is started anew",
    file: "src/actors/Takeover.ts",
    find: "if (runs.length === 0) return",
    replace: "if (runs.length > 0) return"
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
    find: "Effect.zipRight(begun, options.announce(process))",
    replace: "begun"
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
    file: wishes,
    find: "if (state.wanted === \"stopped\") return step(state)\n  const wanted",
    replace: "const wanted"
  },
  {
    name: "a round of the group starts whom a person has stopped",
    file: wishes,
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
    name: "an end without a code is an end with code 0",
    file: "src/domain/Exit.ts",
    find: "end.reason === \"exited\" && end.status.code === 0",
    replace: "(end.status.code ?? 0) === 0 && end.status.signal === null"
  },
  {
    name: "the backoff begins anew after it has run for long, well or not",
    file: runEvents,
    find: "if (timer === \"stable\" && phase._tag === \"Up\" && phase.failures === 0) {",
    replace: "if (timer === \"stable\" && phase._tag === \"Up\") {",
    also: [{
      file: runEvents,
      find:
        ": stay(policy, state, { ...phase, failures }, cause, [{\n      _tag: \"CancelTimer\",\n      incarnation: state.incarnation,\n      timer: \"stable\"\n    }])",
      replace: ": stay(policy, state, { ...phase, failures }, cause, [])"
    }]
  },
  {
    name: "the backoff never begins anew",
    file: runEvents,
    find: "return step({ ...state, attempt: 0 }, [{ _tag: \"ResetBackoff\" }])",
    replace: "return step(state)"
  },
  {
    name: "the intensity is counted for all instances of the machine together",
    file: "src/domain/Intensity.ts",
    find: "  let within = 1\n",
    replace:
      "  let within = 1\n  const all = ((globalThis as any).restarts ??= []); all.push(at); if (all.filter((one: number) => one >= at - intensity.windowMs).length > 3 * intensity.max) return false\n"
  },
  {
    name: "the wall clock says how long a delay is over",
    file: "src/actors/Now.ts",
    find: "Number(clock.unsafeCurrentTimeNanos()) / 1e6",
    replace: "clock.unsafeCurrentTimeMillis()"
  },
  {
    name: "what the kernel kills for memory was killed by somebody",
    file: "src/domain/Exit.ts",
    find: "oomKilled ? \"oom-killed\" : status.signal",
    replace: "status.signal"
  },
  {
    name: "a run has a cgroup without limits",
    file: "src/actors/InstanceRun.ts",
    find: "cgroups.make({ instance: name, beside: isBeside ? incarnation : null }, config)",
    replace: "cgroups.make({ instance: name, beside: isBeside ? incarnation : null }, unlimited)"
  },
  {
    name: "something is made ready for the next run while there is one",
    file: "src/actors/InstanceCommands.ts",
    find: "memory.state.phase._tag === \"Sleeping\" && memory.runs.length === 0 ? standBy : Effect.void",
    replace: "standBy"
  },
  {
    name: "a run is not isolated",
    file: "src/actors/InstanceRun.ts",
    find: "const spec = yield* Scope.extend(isolation.prepare(plain, endpoint), scope)",
    replace: "const spec = plain as import(\"../layers/Launcher.ts\").LaunchSpec"
  },
  {
    name: "a run leaves its socket",
    file: "src/actors/InstanceRun.ts",
    find: "  yield* Scope.addFinalizer(scope, Effect.suspend(() => sockets.retire(endpoint)))\n  const listener",
    replace: "  const listener"
  },
  {
    name: "a restart is not counted",
    file: "src/actors/InstanceCommands.ts",
    find: "return metrics.restarted(name, reasonOf(command))",
    replace: "return Effect.void"
  },
  {
    name: "the counters of who was removed stay",
    file: "src/actors/Service.ts",
    find: "[events.forget(found.instance.name), metrics.forget(found.instance.name)]",
    replace: "[events.forget(found.instance.name)]"
  },
  {
    name: "a group starts its members before all are down",
    file: "src/actors/Supervisor.ts",
    find: "if (child !== undefined) yield* stop(child)",
    replace: "if (child !== undefined && id === failed.spec.id) yield* stop(child)"
  },
  {
    name: "a group stops its members from the first to the last",
    file: "src/domain/Strategy.ts",
    find: "return { start, stop: [...start].reverse() }",
    replace: "return { start, stop: start }"
  },
  {
    name: "a shutdown that was cut short leaves stopped who was being stopped",
    file: wishes,
    find: "return phase._tag === \"Ending\" && phase.next._tag === \"stop\"\n",
    replace: "return phase._tag === \"Stopped\"\n"
  },
  {
    name: "who has its time to stop is killed at once",
    file: steps,
    find: "arm(\"stop\", incarnation, policy.stopTimeoutMs)\n    ]",
    replace: "arm(\"stop\", incarnation, policy.stopTimeoutMs / 2)\n    ]"
  },
  {
    name: "what has failed is started by the next round",
    file: wishes,
    find: "return phase._tag === \"Stopped\" ? beginAgain(policy, state, cause) : step(state)",
    replace:
      "return phase._tag === \"Stopped\" || phase._tag === \"Failed\" ? beginAgain(policy, state, cause) : step(state)",
    also: [{
      file: "src/actors/Group.ts",
      find: "if (phase._tag === \"Completed\" || phase._tag === \"Failed\") return\n",
      replace: "if (phase._tag === \"Completed\") return\n"
    }]
  }
]
