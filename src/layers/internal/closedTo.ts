/** @internal */
import type { Stats } from "node:fs"
import * as Way from "../../internal/way.ts"
import type { Identity } from "./accounts.ts"

const mayPass = ({ gid, mode, uid }: Stats, who: Identity): boolean =>
  (mode & (uid === who.uid ? 0o100 : who.groups.includes(gid) ? 0o010 : 0o001)) !== 0

/**
 * The first thing on the way to a path, its end included, that a user may neither enter nor execute, by the permission
 * bits: access control lists could let him.
 */
export const closedTo = (who: Identity, path: string): string | undefined => {
  if (who.uid === 0) return undefined
  for (const { path: at, stat } of Way.to(path)) {
    if (!mayPass(stat, who)) return at
  }
  return undefined
}
