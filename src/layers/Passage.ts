/**
 * Whether the user that a service runs as can get to what it needs. The supervisor, as root, gets everywhere.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import type { ServiceConfig, Settings } from "../domain/Config.ts"
import { defaultId, type InstanceName } from "../domain/Names.ts"
import * as Places from "../domain/Places.ts"
import * as Template from "../domain/Template.ts"
import type { Endpoint } from "./Endpoint.ts"
import { LaunchFailed } from "./Errors.ts"
import * as Accounts from "./internal/accounts.ts"
import { closedTo } from "./internal/closedTo.ts"
import * as Executable from "./internal/executable.ts"
import * as LauncherExec from "./LauncherExec.ts"

/** Who a service runs as, where that is neither root nor the supervisor's own user. */
const identityOf = ({ group, user }: Pick<ServiceConfig, "user" | "group">) => {
  if (user === null && group === null) return undefined
  const identity = Accounts.identify(user, group)
  return "unknown" in identity || identity.uid === 0 || identity.uid === process.geteuid?.() ? undefined : identity
}

const orMove = (what: string, key: string) => (closed: string) => ({
  what: `its user cannot enter ${closed}, and ${what} is below it`,
  advice: `Let it pass (\`chmod o+x ${closed}\`), or set ${key} to a folder that others can enter.`
})

const inRunDir = orMove("its socket", "run_dir in [settings]")
const inDataDir = orMove("its own folder", "data_dir in [settings]")
const inCwd = orMove("its working folder", "cwd")
const toCommand = (closed: string) => ({
  what: `its user may not enter or execute ${closed}, which its command needs`,
  advice: `Let it (\`chmod o+x ${closed}\`), or put the program where others can get to it.`
})

/** Access control lists may say more than the permission bits; the kernel knows. */
const isOpenAllTheSame = (identity: Accounts.Identity, path: string) =>
  LauncherExec.exec(
    "setpriv",
    `--reuid=${identity.uid}`,
    `--regid=${identity.gid}`,
    `--groups=${identity.groups.join(",")}`,
    "--",
    "test",
    "-x",
    path
  ).pipe(Effect.as(true), Effect.catchAll(() => Effect.succeed(false)))

/**
 * Fails with the first folder that keeps a run's user from its command, its working folder, its own folder or its socket.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = Effect.fn("Passage.check")(function*(
  spec: {
    readonly instance: InstanceName
    readonly argv: ReadonlyArray<string>
    readonly cwd: string
    readonly env: Readonly<Record<string, string>>
    readonly user: string | null
    readonly group: string | null
  },
  { endpoint, instanceDir }: { readonly endpoint: Endpoint; readonly instanceDir: string }
) {
  const identity = identityOf(spec)
  if (identity === undefined) return
  const program = Executable.find(spec.argv[0] ?? "", spec.cwd, spec.env["PATH"])
  const needs = [
    [inRunDir, Path.dirname(endpoint.privatePath)],
    [inDataDir, instanceDir],
    [inCwd, spec.cwd],
    // What cannot be found is the launcher's to tell.
    ...(typeof program === "string" ? [[toCommand, program] as const] : [])
  ] as const
  for (const [explain, path] of needs) {
    const closed = closedTo(identity, path)
    if (closed === undefined || (yield* isOpenAllTheSame(identity, closed))) continue
    return yield* new LaunchFailed({ instance: spec.instance, code: "EACCES", ...explain(closed) })
  }
})

/**
 * What of a service looks as if its user could not get to it, and what to do about it. The folders may be made later, and
 * access control lists are not looked at: doubts, not errors.
 *
 * @since 0.1.0
 * @category combinators
 */
export const doubts = (
  settings: Settings,
  service: ServiceConfig
): ReadonlyArray<{ readonly what: string; readonly advice: string }> => {
  const identity = identityOf(service)
  if (identity === undefined) return []
  const words = Places.wordsOf(settings, service.name, service.instances[0] ?? defaultId)
  const [command = ""] = service.argv
  const needs = [
    [inRunDir, settings.runDir],
    // The folder itself is opened when it is used.
    [inDataDir, Path.dirname(settings.dataDir)],
    [inCwd, Template.expand(service.cwd, words)],
    ...(Path.isAbsolute(command) ? [[toCommand, Template.expand(command, words)] as const] : [])
  ] as const
  return needs.flatMap(([explain, path]) => {
    const closed = closedTo(identity, path)
    return closed === undefined ? [] : [explain(closed)]
  })
}
