/** @internal */
import * as Fs from "node:fs"

/** Who a process runs as; `groups` are all its groups, `gid` included. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  readonly groups: ReadonlyArray<number>
}

type Table = ReadonlyArray<ReadonlyArray<string>>

/** A file of accounts, read again only when it has changed. */
const reader = (path: string): () => Table => {
  let seen = ""
  let table: Table = []
  return () => {
    const { ino, mtimeNs, size } = Fs.statSync(path, { bigint: true })
    const now = `${ino} ${size} ${mtimeNs}`
    if (now !== seen) table = Fs.readFileSync(path, "utf8").split("\n").map((line) => line.split(":"))
    seen = now
    return table
  }
}

const users = reader("/etc/passwd")
const groups = reader("/etc/group")

const isNumber = (text: string): boolean => /^\d+$/.test(text)

const find = (passwd: Table, user: string | null) => {
  const wanted = user ?? String(process.getuid?.() ?? 0)
  return passwd.find(([name]) => name === wanted) ?? passwd.find(([, , uid]) => uid === wanted)
}

/** The line of a user, given by name or number, or of our own. */
export const accountOf = (user: string | null): ReadonlyArray<string> | undefined => find(users(), user)

/** What to do about a name that is unknown. */
export const advice = "Create it, or give its number: directory services are not asked."

/**
 * The ids behind a `user` and a `group` of the file, each a name or a number, or what is wrong with them. Reads the
 * local files alone: asking a directory service could hang, and a launch must not.
 */
export const identify = (user: string | null, group: string | null): Identity | { readonly unknown: string } => {
  const wanted = user ?? String(process.getuid?.() ?? 0)
  const account = find(users(), user)
  if (account === undefined && !isNumber(wanted)) return { unknown: `user ${wanted} is not in /etc/passwd` }
  const uid = Number(account?.[2] ?? wanted)
  const entry = group === null ? undefined : groups().find(([name, , gid]) => name === group || gid === group)
  if (group !== null && entry === undefined && !isNumber(group)) {
    return { unknown: `group ${group} is not in /etc/group` }
  }
  const gid = Number(entry?.[2] ?? group ?? account?.[3] ?? uid)
  const member = groups()
    .filter(([, , , members]) => account?.[0] !== undefined && (members ?? "").split(",").includes(account[0]))
    .map(([, , id]) => Number(id))
  return { uid, gid, groups: [...new Set([gid, ...member])] }
}
