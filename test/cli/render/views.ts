import * as Schema from "effect/Schema"
import type { Cause } from "../../../src/domain/Cause.ts"
import { Description, InstanceView, type StateLabel, Transition } from "../../../src/domain/Views.ts"

/** The moment at which everything here is looked at. */
export const now = new Date(2026, 1, 3, 12, 0, 0).getTime()

export const at = (secondsAgo: number): string => new Date(now - secondsAgo * 1000).toISOString()

export const instance = (state: StateLabel, rest: Partial<typeof InstanceView.Encoded> = {}): InstanceView =>
  Schema.decodeSync(InstanceView)({
    name: "api:prod",
    service: "api",
    id: "prod",
    state,
    health: null,
    pid: null,
    startedAt: null,
    uptimeSeconds: null,
    restarts: 0,
    memoryMb: null,
    cpuPercent: null,
    socket: "/tmp/api-prod.sock",
    port: null,
    weight: 100,
    lastExit: null,
    nextStartAt: null,
    ...rest
  })

type Step = readonly [secondsAgo: number, from: StateLabel, to: StateLabel, cause: typeof Cause.Encoded]

export const history = (...steps: ReadonlyArray<Step>): ReadonlyArray<Transition> =>
  steps.map(([secondsAgo, from, to, cause], index) =>
    Schema.decodeSync(Transition)({
      _tag: "Transition",
      seq: index + 1,
      at: at(secondsAgo),
      instance: "api:prod",
      incarnation: 1,
      from,
      to,
      cause
    })
  )

export const description = (
  instance: InstanceView,
  history: ReadonlyArray<Transition>,
  rest: Partial<typeof Description.Encoded> = {}
): Description =>
  Schema.decodeSync(Description)({
    instance,
    wanted: "running",
    incarnation: 1,
    group: null,
    command: ["./api", "--name", "a b"],
    cwd: "/srv",
    environment: ["LOG_LEVEL", "TOKEN"],
    dependsOn: [],
    waitingFor: [],
    restart: { policy: "on-failure", attempt: 0, inWindow: 2, maxRestarts: 3, windowSeconds: 300 },
    history,
    lastLines: [],
    lastWords: [],
    ...rest
  })
