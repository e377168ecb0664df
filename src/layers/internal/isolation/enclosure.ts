/** @internal */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { ServiceConfig, Settings } from "../../../domain/Config.ts"
import { type InstanceName, parts } from "../../../domain/Names.ts"
import * as Places from "../../../domain/Places.ts"
import { codeOf, unless } from "../../../internal/errno.ts"
import type { Endpoint } from "../../Endpoint.ts"
import { IsolationUnavailable, LaunchFailed } from "../../Errors.ts"
import type { LaunchSpec } from "../../Process.ts"
import type { Identity } from "../accounts.ts"
import * as Command from "../command.ts"
import type { Problem } from "../executable.ts"
import * as PrivatePath from "../privatePath.ts"
import * as Needs from "./needs.ts"
import type { Lack } from "./tools.ts"
import * as View from "./view.ts"

/** What is shut in, and what with: the part that all ways of isolation have in common. */
export interface Enclosure {
  readonly program: Command.Command
  /** Null for who runs the supervisor. */
  readonly identity: Identity | null
  readonly view: View.View
  readonly cwd: string
  readonly hostname: string
  /** Files of this run; gone with it. */
  readonly file: (kind: string) => string
}

/** A lack as the error of an instance. */
export const unavailable =
  ({ instance }: LaunchSpec, level: string) => ({ advice, missing }: Lack): IsolationUnavailable =>
    new IsolationUnavailable({ instance, level, missing, advice })

const failed = ({ instance }: LaunchSpec, { advice, code, what }: Problem) =>
  Effect.fail(new LaunchFailed({ instance, code, what, advice }))

/** Files of isolation, which nobody but the supervisor sees. */
export const folderOf = ({ dataDir }: Settings): string => `${dataDir}/.isolation`

/** What the names of a run's files begin with, before a dot. */
export const prefixOf = (instance: InstanceName, incarnation: number): string => {
  const { id, service } = parts(instance)
  return `${service}.${id}.${incarnation}`
}

/** Whether a file there is some run's, and not what all runs share. */
export const isOfRun = (file: string): boolean => /^[^.]+\.[^.]+\.\d+\./.test(file)

const makeFolder = (spec: LaunchSpec, settings: Settings) =>
  Effect.try({
    try: () => Fs.mkdirSync(folderOf(settings), { recursive: true, mode: 0o700 }),
    catch: (error) =>
      new LaunchFailed({
        instance: spec.instance,
        code: codeOf(error),
        what: `${folderOf(settings)} cannot be made`,
        advice: "Make sure that data_dir can be written to."
      })
  })

const requestOf = (
  settings: Settings,
  { isolation, privateTmp }: ServiceConfig,
  { cwd, env, instance }: LaunchSpec,
  { privatePath }: Pick<Endpoint, "privatePath">,
  program: Command.Command
): View.Request => {
  const { id, service } = parts(instance)
  const sockets = PrivatePath.rootOf(settings)
  const closed = [settings.dataDir, Path.dirname(settings.socket), ...privateTmp ? [sockets] : []]
  const notify = env["NOTIFY_SOCKET"]
  const own = [Places.instanceDir(settings, service, id), Path.dirname(privatePath)]
  const isTrusted = isolation !== "sandbox"
  return {
    base: isTrusted ? "host" : "nothing",
    granted: [
      ...isTrusted ? [{ path: Needs.real(settings.runDir), writable: false }] : [],
      ...own.map((path) => ({ path: Needs.real(path), writable: true })),
      ...notify === undefined ? [] : [{ path: Needs.real(notify), writable: false }]
    ],
    needed: Needs.ofCommand(program, cwd),
    useful: Needs.useful(program),
    closed: closed.filter(Fs.existsSync).map(Needs.real),
    privateTmp,
    exists: Fs.existsSync,
    linkTarget: (path) => unless(["EINVAL", "ENOENT"], () => Fs.readlinkSync(path))
  }
}

/** What a run sees of the host, or why that cannot be. */
export const viewOf = (
  settings: Settings,
  config: ServiceConfig,
  spec: LaunchSpec,
  endpoint: Pick<Endpoint, "privatePath">,
  program: Command.Command
): Either.Either<View.View, Lack> =>
  Either.mapLeft(View.of(requestOf(settings, config, spec, endpoint, program)), ({ closed, needed }) => ({
    missing: `${closed}, which it must not see, holds ${needed}, which it needs`,
    advice: "Give data_dir and socket in [settings] folders of their own."
  }))

/** Looks at what a run asks for, and refuses what cannot be. */
export const make = Effect.fnUntraced(
  function*(level: string, settings: Settings, config: ServiceConfig, spec: LaunchSpec, endpoint: Endpoint) {
    const program = Command.program(spec)
    if ("what" in program) return yield* failed(spec, program)
    const identity = Command.identity(spec)
    if (identity !== null && "what" in identity) return yield* failed(spec, identity)
    const view = viewOf(settings, config, spec, endpoint, program)
    if (Either.isLeft(view)) return yield* Effect.fail(unavailable(spec, level)(view.left))
    yield* makeFolder(spec, settings)
    const { id, service } = parts(spec.instance)
    const prefix = `${folderOf(settings)}/${prefixOf(spec.instance, spec.incarnation)}`
    const made = new Set<string>()
    yield* Effect.flatMap(Effect.scope, (scope) =>
      Scope.addFinalizer(
        scope,
        Effect.sync(() => made.forEach((path) => unless(["ENOENT"], () => Fs.rmSync(path, { recursive: true }))))
      ))
    const enclosure: Enclosure = {
      program,
      identity,
      view: view.right,
      cwd: Needs.real(spec.cwd),
      hostname: `${service}-${id}`.slice(0, 63),
      file: (kind) => {
        const path = `${prefix}.${kind}`
        made.add(path)
        return path
      }
    }
    return enclosure
  }
)
