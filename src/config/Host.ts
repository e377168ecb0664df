/**
 * What defaults depend on: who runs the program, and on what.
 *
 * @since 0.1.0
 */
import * as Os from "node:os"
import * as Path from "node:path"

/**
 * The machine and the user. `stateHome` and `runtimeDir` are the user's folders, as the XDG specification names them;
 * there may be no `runtimeDir`, as for jobs of cron and after `su`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Host {
  readonly uid: number
  readonly cores: number
  readonly stateHome: string
  readonly runtimeDir: string | null
}

/**
 * This machine, this user.
 *
 * @since 0.1.0
 * @category constructors
 */
export const current = (env: Readonly<Record<string, string | undefined>> = process.env): Host => {
  const uid = process.getuid?.() ?? 0
  // A relative path there is to be ignored, says the specification.
  const absolute = (path: string | undefined) => path !== undefined && Path.isAbsolute(path) ? path : undefined
  return {
    uid,
    cores: Os.availableParallelism(),
    stateHome: absolute(env["XDG_STATE_HOME"]) ?? Path.join(Os.homedir(), ".local/state"),
    runtimeDir: absolute(env["XDG_RUNTIME_DIR"]) ?? null
  }
}

/**
 * The folder of state where the file names none.
 *
 * @since 0.1.0
 * @category defaults
 */
export const dataDir = (host: Host): string => host.uid === 0 ? "/var/lib/tenement" : `${host.stateHome}/tenement`

/**
 * The control socket where neither the file nor the person names one. Never below `/tmp`, where anybody could be first.
 *
 * @since 0.1.0
 * @category defaults
 */
export const controlSocket = (host: Host): string => {
  if (host.uid === 0) return "/run/tenement/tenement.sock"
  return host.runtimeDir === null ? `${dataDir(host)}/tenement.sock` : `${host.runtimeDir}/tenement.sock`
}

/**
 * Where else a supervisor of this user may listen, that was started in another way: by cron, or over ssh.
 *
 * @since 0.1.0
 * @category defaults
 */
export const otherControlSockets = (host: Host): ReadonlyArray<string> => {
  const usual = controlSocket(host)
  return [`/run/user/${host.uid}`, null].map((runtimeDir) => controlSocket({ ...host, runtimeDir })).filter((other) =>
    other !== usual
  )
}

/**
 * The folder of public sockets: not in the control socket's own folder, which nobody else may enter.
 *
 * @since 0.1.0
 * @category defaults
 */
export const runDir = (controlSocket: string): string => {
  const folder = Path.dirname(controlSocket)
  return Path.basename(folder) === "tenement" ? `${folder}-services` : Path.join(folder, "tenement-services")
}
