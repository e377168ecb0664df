/**
 * What the programs of a service do, and what goes wrong with them.
 *
 * @since 0.1.0
 */
import type { ExitStatus } from "../domain/Exit.ts"

/**
 * Why nothing was started: the kernel's answer, a spawn that throws, or a cgroup or an isolation that cannot be had.
 *
 * @since 0.1.0
 * @category models
 */
export type LaunchFault =
  | "EAGAIN"
  | "EMFILE"
  | "ENOMEM"
  | "ENOENT"
  | "EACCES"
  | "E2BIG"
  | "throws"
  | "cgroup"
  | "isolation"

/**
 * @since 0.1.0
 * @category models
 */
export interface Behaviour {
  ignoresTerm: boolean
  /** `true` is `ENOENT`. */
  failsToLaunch: boolean | LaunchFault
  /** It has ended like this before anybody knows that it was started. */
  endsAtOnce: Partial<ExitStatus> | null
  /** Gets ready by itself, or only when this is true. */
  getsReady: boolean
  healthy: boolean
  /** How long the answer to a probe takes. */
  probeMs: number
  /** A probe that was given up goes on all the same, and its answer comes when nobody wants it. */
  answersLate: boolean
  /** Which of the program's own layers has a defect. */
  broken: "health" | "readiness" | "prepare" | "backoff" | "policy" | null
  /** The actor has one: it cannot publish a socket. Also by instance. */
  actorDies: boolean
  /** Its logs cannot be deleted. */
  logsStay: boolean
  /** What it forked outlives it, until it is killed. */
  leavesStrays: boolean
  /** How long it takes to be launched, or to fail at it, and to end when it is asked to. */
  launchMs: number
  stopMs: number
  /** How many are connected to each instance by another way than through the gateway. */
  connections: number
}

/**
 * A program that does what it should.
 *
 * @since 0.1.0
 * @category constants
 */
export const usual: Behaviour = {
  ignoresTerm: false,
  failsToLaunch: false,
  endsAtOnce: null,
  getsReady: true,
  healthy: true,
  probeMs: 0,
  answersLate: false,
  broken: null,
  actorDies: false,
  logsStay: false,
  leavesStrays: false,
  launchMs: 0,
  stopMs: 0,
  connections: 0
}
