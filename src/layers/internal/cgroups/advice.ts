/** @internal */

const advice: Readonly<Record<string, string>> = {
  EACCES: "Run the supervisor as root, or in a cgroup that is its user's (systemd: Delegate=yes).",
  EBUSY: "Other processes are in that cgroup; give the supervisor one of its own (systemd: Delegate=yes) or name one " +
    "in cgroup_root.",
  EINVAL: "The kernel refuses the value; correct the file.",
  ENOENT: "The kernel, or the cgroup above, does not have this controller; see cgroup.controllers there.",
  ENOSPC: "The cgroup above allows no more of them (cgroup.max.descendants).",
  ENOSYS: "Run the supervisor with cgroups.",
  EROFS: "The cgroup file system is read-only here; make it writable for the supervisor."
}

/** What a person can do about an obstacle. */
export const adviceFor = (code: string): string =>
  advice[code === "EPERM" ? "EACCES" : code] ?? "The kernel refused it; take the limit out of the file, or ask its log."
