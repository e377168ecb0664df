/** @internal */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { codeOf } from "../../internal/errno.ts"

type Pid = number | "self"

/** The table, whole. Fails with the errno name. */
const read = (pid: Pid, table: "unix" | "tcp" | "tcp6"): Effect.Effect<Buffer, string> =>
  Effect.async((resume, signal) =>
    Fs.readFile(
      `/proc/${pid}/net/${table}`,
      { signal },
      (error, text) => resume(error === null ? Effect.succeed(text) : Effect.fail(codeOf(error)))
    )
  )

const namespaceOf = (pid: Pid): Effect.Effect<string, string> =>
  Effect.try({ try: () => Fs.readlinkSync(`/proc/${pid}/ns/net`), catch: codeOf })

// Num RefCount Protocol Flags Type St Inode Path: not a listener, and connected (03) or to be accepted still (02).
const connection = /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ 0000[0-9A-F]{4} 0001 0[23] +\d+$/

const linesOf = (table: Buffer, path: string): number => {
  const end = Buffer.from(` ${path}\n`)
  let count = 0
  for (let at = table.indexOf(end); at !== -1; at = table.indexOf(end, at + end.length)) {
    const line = table.toString("latin1", table.lastIndexOf("\n", at) + 1, at)
    if (connection.test(line)) count++
  }
  return count
}

/** Connections to a socket of the Unix family. The kernel has each in the network of whoever connected: the program's own, and this one. */
export const unix = (path: string, pid: number): Effect.Effect<number, string> =>
  Effect.gen(function*() {
    const here = linesOf(yield* read("self", "unix"), path)
    const isApart = (yield* namespaceOf("self")) !== (yield* namespaceOf(pid))
    return isApart ? here + linesOf(yield* read(pid, "unix"), path) : here
  })

/** Connections to a port, in the network of the program. */
export const tcp = (port: number, pid: number): Effect.Effect<number, string> => {
  const hex = port.toString(16).toUpperCase().padStart(4, "0")
  // sl local_address rem_address st: 01 is established, accepted or not.
  const line = new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:[0-9A-F]{4} 01 `, "gm")
  const count = (table: Buffer) => table.toString("latin1").match(line)?.length ?? 0
  return Effect.map(
    Effect.all([read(pid, "tcp"), Effect.catchAll(read(pid, "tcp6"), () => Effect.succeed(Buffer.alloc(0)))]),
    (tables) => tables.reduce((sum, table) => sum + count(table), 0)
  )
}
