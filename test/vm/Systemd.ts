/** Debian's own systemd for the virtual machine: its packages are taken apart, nothing is installed. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"

const cache = path.resolve(import.meta.dirname, "../../node_modules/.cache/tenement/systemd")

const without = /^(debconf|cdebconf|dpkg|perl-base|libpam-.*|.*:.*)$/

/** systemd and all that it needs. */
const packages = (): ReadonlyArray<string> => {
  const only = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`)
  const told = execFileSync("apt-cache", ["depends", "--recurse", ...only, "systemd"], { encoding: "utf8" })
  return [...new Set(told.split("\n"))].filter((line) => /^\w/.test(line) && !without.test(line))
}

const download = (): void => {
  const folder = `${cache}.${process.pid}`
  fs.mkdirSync(folder, { recursive: true })
  execFileSync("apt-get", ["download", ...packages()], { cwd: folder, stdio: "ignore" })
  fs.renameSync(folder, cache)
}

/** What a machine of its own has no need of, and what would wait for devices. */
const masked = ("getty.target serial-getty@ttyS0.service systemd-udevd.service systemd-udev-trigger.service "
  + "systemd-timesyncd.service systemd-logind.service systemd-networkd.service systemd-hwdb-update.service "
  + "systemd-firstboot.service systemd-sysusers.service systemd-update-done.service systemd-random-seed.service "
  + "systemd-update-utmp.service systemd-pstore.service systemd-binfmt.service systemd-modules-load.service "
  + "dev-hugepages.mount dev-mqueue.mount systemd-user-sessions.service").split(" ")

/** The tests are a unit of their own, after which the machine is switched off. */
const tests = `[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 TENEMENT_TEST_PATIENCE=300
ExecStart=/usr/bin/node /tenement/test/acceptance/tests.mjs /dev/ttyS1
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStopPost=/usr/bin/systemctl poweroff -ff
`

/** Puts systemd into a file system, as its first process. */
export const furnish = (root: string): void => {
  if (!fs.existsSync(cache)) download()
  const unpack =
    `dpkg-deb --fsys-tarfile "$1" | tar --extract --keep-directory-symlink --exclude=./usr/share --directory="$2"`
  for (const name of fs.readdirSync(cache)) execFileSync("sh", ["-c", unpack, "sh", path.join(cache, name), root])
  const units = `${root}/etc/systemd/system`
  fs.mkdirSync(`${units}/multi-user.target.wants`, { recursive: true })
  for (const name of masked) fs.symlinkSync("/dev/null", `${units}/${name}`)
  fs.writeFileSync(`${units}/tests.service`, tests)
  fs.symlinkSync("../tests.service", `${units}/multi-user.target.wants/tests.service`)
  fs.rmSync(`${units}/default.target`, { force: true })
  fs.symlinkSync("/lib/systemd/system/multi-user.target", `${units}/default.target`)
  fs.writeFileSync(`${root}/etc/machine-id`, `${"0123456789abcdef".repeat(2)}\n`)
  fs.symlinkSync("/lib/systemd/systemd", `${root}/init`)
}
