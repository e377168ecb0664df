import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import type { InstanceState } from "../../src/domain/InstanceState.ts"
import { policyOf, World } from "./World.ts"

const options = FC.record({
  restart: FC.constantFrom("always" as const, "on-failure" as const, "never" as const),
  max: FC.constantFrom(0, 1, 3, Infinity),
  windowMs: FC.constantFrom(100, 1000),
  retries: FC.constantFrom(null, 1, 3),
  awaitsReadiness: FC.boolean(),
  stopTimeoutMs: FC.constantFrom(0, 200),
  dependsOn: FC.boolean(),
  group: FC.constant(false)
})
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

describe("a person's wish", () => {
  const policy = policyOf({
    restart: "always",
    max: 0,
    windowMs: 1000,
    retries: null,
    awaitsReadiness: true,
    stopTimeoutMs: 200,
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
})
