/**
 * Keys that are part of the file's language and that this version cannot obey: refused, never ignored.
 *
 * @since 0.1.0
 */
import type { Decoded } from "./Decode.ts"
import { found } from "./Found.ts"
import { atKey, type Path, type Problem } from "./Problem.ts"
import { isTable } from "./Source.ts"

interface Row {
  /** `*` stands for any name. */
  readonly key: string
  /** Values that mean what this version does anyway. */
  readonly except?: ReadonlyArray<unknown>
  /** What holds where the key is left out, if that is not there yet either. */
  readonly standard?: string
  /** What to do instead. */
  readonly instead: string
}

const leaveOut = "leave it out"

const rows: ReadonlyArray<Row> = [
  {
    key: "service.*.isolation",
    except: ["process"],
    standard: "namespace",
    instead: "set isolation = \"process\""
  },
  { key: "service.*.network", except: ["host"], instead: leaveOut },
  { key: "service.*.private_tmp", except: [false], instead: leaveOut },
  { key: "service.*.capabilities", instead: leaveOut },
  { key: "service.*.sandbox_runtime", instead: leaveOut },
  { key: "service.*.memory_limit_mb", instead: leaveOut },
  { key: "service.*.cpu_shares", instead: leaveOut },
  { key: "service.*.cpu_limit", instead: leaveOut },
  { key: "service.*.pids_limit", instead: leaveOut },
  { key: "service.*.socket_activation", except: [false], instead: leaveOut },
  { key: "service.*.idle_timeout", except: [0], instead: leaveOut },
  { key: "service.*.restart_mode", except: ["sequential"], instead: "set restart_mode = \"sequential\"" },
  { key: "service.*.schedule", instead: leaveOut },
  { key: "settings.cgroup_root", instead: leaveOut },
  { key: "routing", instead: leaveOut }
]

/**
 * What a file asks for and this version does not have.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = ({ file, problems, source }: Decoded): ReadonlyArray<Problem> => {
  const refused = new Set(
    problems.flatMap((problem) => problem._tag === "AtPath" ? [JSON.stringify(problem.path)] : [])
  )
  const isRefused = (path: Path) => path.some((_, index) => refused.has(JSON.stringify(path.slice(0, index + 1))))
  return rows.flatMap(({ except, instead, key, standard }) =>
    placesOf(source.table, key.split("."), []).flatMap((path) => {
      const written = valueAt(source.table, path)
      const value = valueAt(file, path) ?? written
      const message = written === undefined
        ? standard && `unset, it is ${JSON.stringify(standard)}, which is`
        : except === undefined
        ? "this is"
        : except.includes(value)
        ? undefined
        : `${found(value)} is`
      return message === undefined || isRefused(path)
        ? []
        : [atKey(source, path, `${message} not available in this version; ${instead}`)]
    })
  )
}

const valueAt = (table: unknown, [key, ...rest]: Path): unknown =>
  key === undefined
    ? table
    : isTable(table) && Object.hasOwn(table, key)
    ? valueAt(table[key], rest)
    : undefined

/** The paths that a row's key stands for, with the last one's key there or not. */
const placesOf = (table: unknown, [key, ...rest]: ReadonlyArray<string>, path: Path): ReadonlyArray<Path> =>
  key === undefined
    ? [path]
    : !isTable(table)
    ? []
    : (key === "*" ? Object.keys(table) : [key]).flatMap((name) =>
      rest.length === 0
        ? [[...path, name]]
        : placesOf(Object.hasOwn(table, name) ? table[name] : undefined, rest, [...path, name])
    )
