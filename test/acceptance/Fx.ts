/** The misbehaving service of `test/fixtures/fx.pl`, and the records it leaves. */
import * as fs from "node:fs"
import * as path from "node:path"

const script = path.resolve(import.meta.dirname, "../fixtures/fx.pl")

/** A value of the file. */
export type Value = string | number | boolean | ReadonlyArray<string> | Readonly<Record<string, string>>

/** A table of the file. */
export type Table = Readonly<Record<string, Value>>

/**
 * A `[service.NAME]` that runs the fixture. The n-th of `turns` says what the n-th run does, the last one what all that
 * follow do: the words of each are the fixture's steps.
 */
export const service = (keys: Table, ...turns: ReadonlyArray<string>): Table => ({
  command: "perl",
  args: [
    script,
    "{data_dir}",
    ...turns.flatMap((
      turn,
      index
    ) => [...(index === 0 ? [] : ["--"]), ...turn.split(" ").filter((step) => step !== "")])
  ],
  isolation: "process",
  ...keys
})

/** Restarts that follow at once and are never given up. */
export const eager: Table = { max_restarts: "unlimited", backoff_base_ms: 20, backoff_max_ms: 20, backoff_jitter: 0 }

export interface Entry {
  /** Milliseconds of the monotonic clock. */
  readonly at: number
  readonly instance: string
  readonly incarnation: number
  readonly pid: number
  readonly event: string
  readonly detail: string
}

const parse = (instance: string) => (line: string): Entry => {
  const [nanos, incarnation, pid, event, ...detail] = line.split(" ")
  return {
    at: Number(nanos) / 1e6,
    instance,
    incarnation: Number(incarnation),
    pid: Number(pid),
    event: event!,
    detail: detail.join(" ")
  }
}

/** All records under `folder`, of all instances, in the order of their time. */
export const records = (folder: string): ReadonlyArray<Entry> =>
  fs.readdirSync(folder).filter((name) => !name.startsWith(".")).flatMap((instance) =>
    fs.readFileSync(path.join(folder, instance), "utf8").split("\n").slice(0, -1).map(parse(instance))
  ).sort((a, b) => a.at - b.at)

/** The clock that the records are written with, in milliseconds. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6
