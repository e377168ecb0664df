/** @internal */

/**
 * Where the supervisor's own helpers are looked for, whatever its environment says: what a system has for root. Services
 * get it where the supervisor has no `PATH` to hand on.
 */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
