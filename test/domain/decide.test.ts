import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { decide } from "../../src/domain/decide.ts"
import type { Command } from "../../src/domain/InstanceEvent.ts"
import { initial, type InstanceState, isAsleep } from "../../src/domain/InstanceState.ts"
import { GroupName, InstanceName } from "../../src/domain/Names.ts"
import { policyOf, World } from "./World.ts"

const choicesOf = {
  restart: FC.constantFrom("always" as const, "on-failure" as const, "never" as const),
  max: FC.constantFrom(0, 1, 3, Infinity),
  windowMs: FC.constantFrom(100, 1000),
  retries: FC.constantFrom(null, 1, 3),
  awaitsReadiness: FC.boolean(),
  stopTimeoutMs: FC.constantFrom(0, 200),
  idleTimeoutMs: FC.constantFrom(0, 300),
  dependsOn: FC.boolean(),
  group: FC.constant(false)
}
const options = FC.record(choicesOf)
const choices = FC.array(FC.nat(10_000), { minLength: 20, maxLength: 300 })
const runs = { numRuns: 1000 }

const live = (policy: ReturnType<typeof policyOf>, made: ReadonlyArray<number>): World => {
  const world = new World(policy, made, (attempt) => Math.min(10 * 2 ** attempt, 160))
  world.send({ _tag: "Start", cause: { _tag: "Boot" } })
  for (let i = 0; i < made.length; i++) world.step()
  return world
}

const wasKilled = ({ phase }: InstanceState): boolean => phase._tag === "Ending" && phase.means === "kill"

describe("an instance under any history", () => {
  it("never has two incarnations, a forgotten process, a forgotten timer or a restart too many", () => {
    FC.assert(FC.property(options, choices, (given, made) => void live(policyOf(given), made)), runs)
  })

  it("stops when it is told to, whatever was under way", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        const world = live(policyOf(given), made)
        world.send({ _tag: "Stop", cause: { _tag: "Person", verb: "stop" } })
        world.heal()
        assert.strictEqual(world.state.phase._tag, "Stopped")
      }),
      runs
    )
  })

  it("comes up when it is started and nothing fails any more", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        const world = live(policyOf(given), made)
        world.send({ _tag: "Start", cause: { _tag: "Person", verb: "start" } })
        world.heal()
        // What ended by itself in the meantime may be done, or have failed for good.
        assert.include(["Up", "Completed", "Failed"], world.state.phase._tag)
        world.send({ _tag: "Start", cause: { _tag: "Person", verb: "start" } })
        world.heal()
        assert.strictEqual(world.state.phase._tag, "Up")
      }),
      runs
    )
  })

  it("is left alone by events of another incarnation", () => {
    FC.assert(
      FC.property(options, choices, FC.constantFrom(-1, 1, 7), (given, made, off) => {
        const world = live(policyOf(given), made)
        const before = world.state
        const incarnation = before.incarnation + off
        const status = { code: 0, signal: null }
        world.send({ _tag: "Exited", incarnation, status, oomKilled: false, stragglers: false })
        world.send({ _tag: "Elapsed", incarnation, timer: "backoff" })
        world.send({ _tag: "TreeGone", incarnation })
        world.send({ _tag: "Launched", incarnation, pid: 1 })
        assert.deepStrictEqual(world.state, before)
      }),
      { numRuns: 300 }
    )
  })

  it("tells every change of its state with one cause, in an unbroken chain", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        const world = live(policyOf(given), made)
        let at = "stopped"
        for (const { commands } of world.steps) {
          for (const command of commands) {
            if (command._tag !== "Publish") continue
            assert.strictEqual(command.from, at)
            at = command.to
          }
        }
      }),
      runs
    )
  })

  it("is done only after it was ready, or if it need not be", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        let wasUp = false
        for (const { after, before } of live(policyOf(given), made).steps) {
          wasUp = before.phase._tag === "Up" || (wasUp && after.incarnation === before.incarnation)
          if (after.phase._tag === "Completed") assert.isTrue(wasUp || !given.awaitsReadiness)
        }
      }),
      runs
    )
  })

  it("kills nothing that it asked to end before the time is over, and everything that a crash left at once", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        for (const { after, before, commands, event } of live(policyOf(given), made).steps) {
          const kills = commands.some(({ _tag }) => _tag === "KillTree")
          const isCrash = event._tag === "Exited" && before.phase._tag !== "Ending" && before.phase !== after.phase
          if (isCrash && event.stragglers) assert.isTrue(kills)
          else if (kills && given.stopTimeoutMs > 0) {
            assert.isTrue(event._tag === "Elapsed" && event.timer === "stop" || wasKilled(before), event._tag)
          }
        }
      }),
      runs
    )
  })

  it("is asked to end once it has answered, or had its time to; at once where nobody waits for an answer", () => {
    const signals = (commands: ReadonlyArray<Command>) => commands.some(({ _tag }) => _tag === "Signal")
    FC.assert(
      FC.property(options, choices, (given, made) => {
        const policy = policyOf({ ...given, stopTimeoutMs: 200 })
        for (const { before, commands, event } of live(policy, made).steps) {
          const isAsked = event._tag === "Stop" || event._tag === "Restart"
          if (isAsked && before.phase._tag === "Up") {
            assert.strictEqual(signals(commands), (event.open ?? 0) === 0)
            assert.strictEqual(commands.some(({ _tag }) => _tag === "AwaitAnswers"), (event.open ?? 0) > 0)
          }
          if (before.phase._tag === "Ending" && before.phase.means === "drain" && signals(commands)) {
            assert.strictEqual(event._tag, "Drained")
          }
        }
      }),
      runs
    )
  })

  it("waits for no answer once the supervisor goes down", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        const world = live(policyOf({ ...given, stopTimeoutMs: 200 }), made)
        world.send({ _tag: "Start", cause: { _tag: "Person", verb: "start" } })
        world.heal()
        if (world.state.phase._tag !== "Up") return
        world.send({ _tag: "Stop", cause: { _tag: "Person", verb: "stop" }, open: 1 })
        world.send({ _tag: "Stop", cause: { _tag: "Shutdown" } })
        assert.isTrue(world.steps.at(-1)?.commands.some(({ _tag }) => _tag === "Signal"))
        world.heal()
        assert.strictEqual(world.state.phase._tag, "Stopped")
      }),
      { numRuns: 300 }
    )
  })

  it("counts each automatic restart once, and no other start", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        const world = live(policyOf(given), made)
        assert.strictEqual(world.state.restarts, world.restarts.length)
      }),
      runs
    )
  })

  it("begins its backoff anew only after it was stable, or was asked to", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        for (const { after, before, event } of live(policyOf(given), made).steps) {
          if (after.attempt >= before.attempt) continue
          const isStable = event._tag === "Elapsed" && event.timer === "stable"
          assert.isTrue(isStable || event._tag === "Start" || event._tag === "Restart", event._tag)
          if (isStable) assert.isTrue(before.phase._tag === "Up" && before.phase.failures === 0)
        }
      }),
      runs
    )
  })

  it("gives up exactly when one restart more would not fit into the window", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        const world = live(policyOf({ ...given, restart: "always" }), made)
        for (const { after, before, event } of world.steps) {
          if (event._tag !== "NextDelay" || before.phase._tag !== "Backoff" || event.delayMs === null) continue
          // What the schedule said of a run before this one comes too late.
          if (event.incarnation !== before.incarnation) continue
          const planned = event.at.mono + event.delayMs
          const within = before.history.filter((restart) => restart >= planned - given.windowMs).length
          assert.strictEqual(after.phase._tag === "Failed", within + 1 > given.max)
        }
      }),
      runs
    )
  })
})

describe("an instance that nobody uses", () => {
  const sleepy = FC.record({ ...choicesOf, idleTimeoutMs: FC.constant(300) })
  const request = { _tag: "Start", cause: { _tag: "Request" } } as const

  /** A history at whose end it sleeps. */
  const asleep = (given: Parameters<typeof policyOf>[0], made: ReadonlyArray<number>): World => {
    const world = live(policyOf(given), made)
    world.heal()
    world.send({ _tag: "Start", cause: { _tag: "Person", verb: "start" } })
    world.heal()
    world.send({ _tag: "Idle", incarnation: world.state.incarnation, afterMs: 300 })
    world.heal()
    assert.strictEqual(world.state.phase._tag, "Sleeping")
    return world
  }

  it("sleeps, and a request wakes it: a run more, and no restart", () => {
    FC.assert(
      FC.property(sleepy, choices, (given, made) => {
        const world = asleep(given, made)
        const before = world.state
        world.send(request)
        world.send(request)
        world.heal()
        assert.strictEqual(world.state.phase._tag, "Up")
        assert.strictEqual(world.state.incarnation, before.incarnation + 1)
        assert.strictEqual(world.state.attempt, before.attempt)
        assert.strictEqual(world.state.restarts, before.restarts)
        assert.deepStrictEqual(world.state.history, before.history)
      }),
      { numRuns: 300 }
    )
  })

  it("is woken by a request also while it is on its way to sleep", () => {
    FC.assert(
      FC.property(sleepy, choices, (given, made) => {
        const world = asleep(given, made)
        world.send(request)
        world.heal()
        world.send({ _tag: "Idle", incarnation: world.state.incarnation, afterMs: 300 })
        assert.strictEqual(world.state.phase._tag, "Ending")
        world.send(request)
        world.heal()
        assert.strictEqual(world.state.phase._tag, "Up")
      }),
      { numRuns: 300 }
    )
  })

  it("is left asleep by a file, by its group, by a shutdown, and by a new supervisor", () => {
    FC.assert(
      FC.property(sleepy, choices, (given, made) => {
        const world = asleep(given, made)
        const before = world.state
        const round = { _tag: "GroupRound", group: GroupName.make("shop"), failed: InstanceName.make("a:b") } as const
        world.send({ _tag: "Restart", cause: { _tag: "Reload", keys: ["command"] } })
        world.send({ _tag: "Stop", cause: round })
        world.send({ _tag: "Start", cause: round })
        world.send({ _tag: "Stop", cause: { _tag: "Shutdown" } })
        world.send({ _tag: "Start", cause: { _tag: "Boot" } })
        assert.deepStrictEqual(world.state, before)
      }),
      { numRuns: 300 }
    )
  })

  it("stays stopped where a person stops it, whatever is asked of it", () => {
    FC.assert(
      FC.property(sleepy, choices, (given, made) => {
        const world = asleep(given, made)
        world.send({ _tag: "Stop", cause: { _tag: "Person", verb: "stop" } })
        assert.strictEqual(world.state.phase._tag, "Stopped")
        world.send(request)
        assert.strictEqual(world.state.phase._tag, "Stopped")
      }),
      { numRuns: 300 }
    )
  })

  it("is woken by nothing else, and a request starts nobody else", () => {
    FC.assert(
      FC.property(options, choices, (given, made) => {
        for (const { after, before, event } of live(policyOf(given), made).steps) {
          const isRequest = event._tag === "Start" && event.cause._tag === "Request"
          if (isRequest && !isAsleep(before)) assert.deepStrictEqual(after, before)
          if (before.phase._tag !== "Sleeping" || after.phase._tag === "Sleeping") continue
          assert.include(["Start", "Stop", "Restart"], event._tag)
        }
      }),
      { numRuns: 300 }
    )
  })
})

describe("a person's wish", () => {
  const policy = policyOf({
    restart: "always",
    max: 0,
    windowMs: 1000,
    retries: null,
    awaitsReadiness: true,
    stopTimeoutMs: 200,
    idleTimeoutMs: 0,
    dependsOn: false,
    group: false
  })

  it("lifts a failure", () => {
    const world = new World(policy, [0], () => 10)
    world.send({ _tag: "Start", cause: { _tag: "Boot" } })
    world.failLaunch()
    world.heal()
    assert.strictEqual(world.state.phase._tag, "Failed")
    world.send({ _tag: "Start", cause: { _tag: "Person", verb: "start" } })
    world.heal()
    assert.strictEqual(world.state.phase._tag, "Up")
    assert.strictEqual(world.state.restarts, 0)
  })

  it("to stop lifts it too: what is started later has all its restarts", () => {
    const at = { mono: 1, wall: 1 }
    const failed: InstanceState = { ...initial, phase: { _tag: "Failed", cause: { _tag: "Boot" } }, history: [0] }
    const { state } = decide(policy, failed, { _tag: "Stop", at, cause: { _tag: "Person", verb: "stop" } })
    assert.deepStrictEqual([state.phase._tag, state.history], ["Stopped", []])
  })
})
