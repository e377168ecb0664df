/** The end of a life: nothing goes wrong any more, and everything comes to rest where it should. */
import * as Chunk from "effect/Chunk"
import * as Stream from "effect/Stream"
import type { InstanceName } from "../../src/domain/Names.ts"
import type { InstanceView } from "../../src/domain/Views.ts"
import { usual } from "../../src/testkit/Program.ts"
import type { Life } from "./Life.ts"
import * as Plan from "./Plan.ts"

/** Longer than any delay, deadline and patience that there is. */
const limitMs = 40_000

const unsettled: ReadonlySet<string> = new Set(["backoff", "stopping", "unhealthy", "degraded"])

/** What is not as it should be in the end. */
const problems = (life: Life, views: ReadonlyArray<InstanceView>) => {
  const { calls, invariants: { forbidden }, requests, tree, wanted, witness } = life
  // A round of its group stops also whom it does not start again.
  const isRevived = (name: InstanceName) => witness.configsOf(name).every(({ restart }) => restart !== "never")
  const found = calls.map(({ name, verb }) => `${verb} ${name ?? ""} was never answered`)
  if (requests.length > 0) found.push(`${requests.length} requests were never answered`)
  for (const { name, state } of views) {
    if (unsettled.has(state)) found.push(`${name} stays ${state}`)
    if (state === "starting" && tree.do(tree.tenement.describe(name)).waitingFor.length === 0) {
      found.push(`${name} stays starting, and waits for nobody`)
    }
    if (state === "stopped" && wanted.has(name) && isRevived(name)) found.push(`${name} was started, and is stopped`)
    const intent = forbidden.get(name)
    if (intent === "removed") found.push(`${name} was removed, and is there`)
    // A group that gave up takes along who was stopped already, in name.
    if (intent === "stopped" && !["stopped", "failed"].includes(state)) found.push(`${name} is ${state}`)
  }
  const believed = views.flatMap(({ pid }) => pid === null ? [] : [pid]).sort()
  const real = tree.machine.children.filter(({ alive, strays }) => alive || strays).map(({ pid }) => pid).sort()
  if (believed.join() !== real.join()) found.push(`${real.join()} run, and ${believed.join()} are known`)
  const { cgroups, logs, sockets } = tree.machine.held
  if (sockets !== real.length) found.push(`${sockets} sockets are there for ${real.length} runs`)
  // What is kept ready for who sleeps is kept until it starts, and it may wait for others before.
  const ready = views.filter(({ pid, state }) => pid === null && (state === "sleeping" || state === "starting")).length
  if (cgroups > real.length + ready) found.push(`${cgroups} cgroups are there for ${real.length} runs`)
  if (logs > views.length) found.push(`${logs} logs are open for ${views.length} instances`)
  return found
}

/** What is counted is what happened. */
const count = ({ invariants, tree, witness }: Life, views: ReadonlyArray<InstanceView>): void => {
  const { metrics } = tree.machine
  for (const { name, restarts } of views) {
    if (metrics.restartsOf(name) !== restarts) {
      witness.fail(`${name} has ${restarts} restarts, and its counter says ${metrics.restartsOf(name)}`)
    }
    const told = invariants.restarts.countOf(name)
    if (!witness.isLossy && told !== restarts) {
      witness.fail(`${name} has ${restarts} restarts, and ${told} were told of`)
    }
  }
  const kept = tree.do(Stream.runCollect(tree.tenement.events({ tail: null, sinceMs: null, follow: false })))
  const records = Chunk.toReadonlyArray(kept).slice(-invariants.heard.length)
  records.forEach(({ at: _, seq, ...event }, index) => {
    if (seq !== (records[0]?.seq ?? 0) + index) witness.fail(`event ${seq} is out of order`)
    if (JSON.stringify(event) !== JSON.stringify(invariants.heard[index])) {
      witness.fail(`event ${seq} is ${JSON.stringify(event)}, and was told otherwise`)
    }
  })
}

/** A tree at rest does no more than look at the health of who is watched. */
const idle = (life: Life, views: ReadonlyArray<InstanceView>): void => {
  const { simulation } = life.tree
  const seconds = 20
  const before = simulation.stepsTaken
  life.tree.pass(seconds * 1000)
  const steps = (simulation.stepsTaken - before) / seconds
  let bearable = 2
  for (const { name } of views) {
    const intervals = life.witness.configsOf(name).map(({ healthIntervalMs }) => healthIntervalMs)
    bearable += 20 * 1000 / Math.min(...intervals, 1000)
  }
  if (steps > bearable) life.witness.fail(`${steps} steps in each second, and nothing to do`)
}

/** Lets it come to rest, looks at what there is then, and takes it down. */
export const come = (life: Life): void => {
  const { invariants, plan, tree, witness } = life
  const { machine, simulation } = tree
  for (const name of Plan.services) Object.assign(machine.of(name), usual)
  Object.assign(machine.store, { isFull: false, syncMs: 0, fails: null })
  simulation.timerTickMs = 1
  // Most come to rest soon. A few are watched for as long as anything can take.
  const isWatched = plan.seed % 16 === 0
  let found: ReadonlyArray<string> = ["nobody has looked"]
  let views: ReadonlyArray<InstanceView> = []
  for (let passed = 0, ms = isWatched ? limitMs : 300; passed < limitMs && found.length > 0; passed += ms, ms *= 2) {
    tree.pass(ms)
    life.hearAnswers()
    invariants.look()
    views = tree.do(tree.tenement.list)
    found = problems(life, views)
  }
  for (const problem of found) witness.fail(problem)
  if (witness.violations.length > 0) return
  count(life, views)
  if (isWatched) idle(life, views)
  const closed = tree.close()
  simulation.advance(60_000, () => closed.unsafePoll() !== null && simulation.isIdle)
  if (closed.unsafePoll() === null) witness.fail("it does not end")
  else if (!simulation.isIdle) witness.fail("something is still under way after the end")
  const { cgroups, logs, sockets } = machine.held
  if (cgroups + logs + sockets > 0) witness.fail(`${cgroups} cgroups, ${logs} logs and ${sockets} sockets are left`)
  invariants.look()
  if (machine.cgroups.swept > 0) witness.reach("what a launch had left is found")
  if (machine.store.damaged > 0) witness.reach("a damaged file is read")
  life.note(machine.trace.join())
}
