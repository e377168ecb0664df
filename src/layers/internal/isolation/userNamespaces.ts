/** @internal */
import * as Fs from "node:fs"
import { unless } from "../../../internal/errno.ts"

interface Setting {
  readonly key: string
  readonly forbids: string
  readonly allows: string
}

// Not every kernel has all of them.
const settings: ReadonlyArray<Setting> = [
  { key: "user.max_user_namespaces", forbids: "0", allows: "10000" },
  { key: "kernel.unprivileged_userns_clone", forbids: "0", allows: "1" },
  { key: "kernel.apparmor_restrict_unprivileged_userns", forbids: "1", allows: "0" }
]

const valueOf = (key: string): string | undefined =>
  unless(["ENOENT", "EACCES"], () => Fs.readFileSync(`/proc/sys/${key.replaceAll(".", "/")}`, "utf8"))?.trim()

/** What keeps users other than root from user namespaces: settings of the kernel, and the command that mends them. */
export const obstacle = (): { readonly what: string; readonly mend: string } | undefined => {
  const forbidding = settings.filter(({ forbids, key }) => valueOf(key) === forbids)
  return forbidding.length === 0 ? undefined : {
    what: forbidding.map(({ forbids, key }) => `${key} = ${forbids}`).join(", "),
    mend: `sysctl -w ${forbidding.map(({ allows, key }) => `${key}=${allows}`).join(" ")}`
  }
}
