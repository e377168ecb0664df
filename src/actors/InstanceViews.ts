/**
 * What the outside sees of an instance.
 *
 * @since 0.1.0
 */
import { type GroupConfig, groupOf, type Settings, type TenementConfig } from "../domain/Config.ts"
import { count } from "../domain/Explain.ts"
import { isReady, label, lastExit, running } from "../domain/InstanceState.ts"
import { elapsed, type Instant } from "../domain/Instant.ts"
import { type GroupName, parts as namesOf, type ServiceName } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import type { Description, InstanceView, Transition, TreeNode } from "../domain/Views.ts"
import type { InstanceUsage } from "../layers/Usage.ts"
import type { Snapshot } from "./Instance.ts"

const iso = (instant: Instant): string => new Date(instant.wall).toISOString()

const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits

/**
 * One line of `ps`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const view = (
  { endpoint, name, parts, pid, state }: Snapshot,
  usage: InstanceUsage | undefined,
  settings: Settings,
  now: Instant
): InstanceView => {
  const { config } = parts
  const { id, service } = namesOf(name)
  const run = running(state)
  const shown = label(state.phase, parts.policy.health)
  return {
    name,
    service,
    id,
    state: shown,
    health: shown === "healthy" || shown === "degraded" || shown === "unhealthy" ? shown : null,
    pid: run === null ? null : pid,
    startedAt: run === null ? null : iso(run.since),
    uptimeSeconds: run === null ? null : round(elapsed(run.since, now) / 1000, 3),
    restarts: state.restarts,
    memoryMb: usage === undefined ? null : round(usage.memoryBytes / 1048576, 2),
    cpuPercent: usage === undefined ? null : round(usage.cpuPercent, 1),
    // A path that the file does not name and that nothing of ours connects to is one that the service need not listen on.
    socket: config.socketDeclared ||
        (config.port === null &&
          (parts.policy.health !== null || config.readiness === "socket" || config.socketActivation))
      ? Places.publicSocket(settings, config, id)
      : null,
    port: endpoint?.port ?? (typeof config.port === "number" ? config.port : null),
    weight: config.weight,
    lastExit: lastExit(state),
    nextStartAt: state.phase._tag === "Backoff" && state.phase.until !== null ? iso(state.phase.until) : null
  }
}

/**
 * The run that failed last, as far as the history goes back.
 *
 * @since 0.1.0
 * @category combinators
 */
export const failedRun = (history: ReadonlyArray<Transition>): number | undefined =>
  history.findLast(({ to }) => to === "backoff" || to === "failed" || to === "unhealthy")?.incarnation

/**
 * All that is known of an instance.
 *
 * @since 0.1.0
 * @category constructors
 */
export const description = (
  snapshot: Snapshot,
  instance: InstanceView,
  history: ReadonlyArray<Transition>,
  printed: Pick<Description, "lastLines" | "lastWords">,
  now: Instant
): Description => {
  const { parts, state, waitingFor } = snapshot
  const { config, policy } = parts
  const { max, windowMs } = policy.intensity
  return {
    instance,
    wanted: state.wanted === "running" ? "running" : "stopped",
    incarnation: state.incarnation,
    group: policy.group,
    command: config.argv,
    cwd: config.cwd,
    environment: [...new Set([...Object.keys(config.env), ...Object.keys(config.secrets)])].sort(),
    dependsOn: config.dependsOn,
    waitingFor,
    restart: {
      policy: parts.restartPolicy,
      attempt: state.attempt,
      inWindow: state.history.filter((at) => at >= now.mono - windowMs).length,
      maxRestarts: max === Infinity ? null : max,
      windowSeconds: windowMs / 1000
    },
    history,
    ...printed
  }
}

const branch = (name: string, detail: string, children: ReadonlyArray<TreeNode>, state = "one-for-one"): TreeNode => ({
  name,
  kind: "supervisor",
  state,
  detail,
  children
})

const instanceNode = ({ name, parts, pid, state }: Snapshot): TreeNode => {
  const run = running(state)
  return {
    name,
    kind: "actor",
    state: label(state.phase, parts.policy.health),
    detail: run !== null && pid !== null ? `pid ${pid}` : isReady(state) ? "done" : "",
    children: []
  }
}

/**
 * The whole tree: the supervisor's own actors, and the services with their instances, in their groups if they have one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const tree = (
  config: TenementConfig,
  running: {
    readonly system: ReadonlyArray<{ readonly id: string; readonly up: boolean; readonly restarts: number }>
    readonly instances: ReadonlyMap<ServiceName, ReadonlyArray<Snapshot>>
    readonly gaveUp: ReadonlySet<GroupName>
  }
): TreeNode => {
  const serviceNode = (name: ServiceName): TreeNode => {
    const children = (running.instances.get(name) ?? []).map(instanceNode)
    return branch(name, count(children.length, "instance"), children)
  }
  const groupNode = ({ name, services, strategy }: GroupConfig): TreeNode => {
    const gaveUp = running.gaveUp.has(name)
    const detail = gaveUp ? "gave up; start a member to lift it" : count(services.length, "service")
    return branch(`group ${name}`, detail, services.map(serviceNode), gaveUp ? "failed" : strategy)
  }
  const actors = running.system.map(({ id, restarts, up }): TreeNode => ({
    name: id,
    kind: "actor",
    state: up ? "running" : "down",
    detail: restarts === 0 ? "" : count(restarts, "restart"),
    children: []
  }))
  const alone = [...config.services.keys()].filter((name) => groupOf(config, name) === undefined)
  return branch("root", "", [
    branch("system", "", actors),
    branch("services", count(config.services.size, "service"), [
      ...alone.map(serviceNode),
      ...[...config.groups.values()].map(groupNode)
    ])
  ])
}
