/**
 * Boots Debian's kernel in a virtual machine that has cgroups of version 2 and nothing else, and runs there what the
 * machine at hand may not allow; with the word `systemd`, in one that Debian's systemd has booted. Ends with
 * `N passed, N failed`.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Image from "./Image.ts"
import * as Kernel from "./Kernel.ts"
import * as Machine from "./Machine.ts"
import type { Ended } from "./Report.ts"
import * as Systemd from "./Systemd.ts"

const isSystemd = process.argv.includes("systemd")

const tests: ReadonlyArray<Image.Tests> = isSystemd ? [{ file: "test/vm/unit.test.ts" }] : [
  { file: "test/vm/smoke.test.ts" },
  { file: "test/vm/delegation.test.ts" },
  { file: "test/acceptance/isolation.test.ts", only: /leaves nothing|no way to gain rights|without root too/ },
  { file: "test/acceptance/limits.test.ts" }
]

const needed = { "qemu-system-x86_64": "qemu-system-x86", cpio: "cpio", perl: "perl-base" }

const end = (passed: number, failed: number): never => {
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

const isHere = (program: string): boolean =>
  (process.env["PATH"] ?? "").split(":").some((folder) => fs.existsSync(path.join(folder, program)))

/** Why it cannot be done here. */
const obstacle = (): string | undefined => {
  if (process.arch !== "x64") return `the virtual machine is an x64, and this machine has no Node for it`
  const missing = Object.entries(needed).filter(([program]) => !isHere(program))
  if (missing.length === 0) return undefined
  const [programs, packages] = [0, 1].map((column) => missing.map((row) => row[column]))
  return `not installed: ${programs!.join(", ")}. apt-get install --no-install-recommends ${packages!.join(" ")}`
}

const reason = obstacle()
if (reason !== undefined) {
  const isCI = process.env["CI"] === "true"
  console.log(`The tests in a virtual machine ${isCI ? "cannot run" : "are skipped"}: ${reason}`)
  end(0, isCI ? 1 : 0)
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-vm-"))
process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }))

const kernel = Kernel.find()
const image = await Image.make(folder, tests, isSystemd ? Systemd.furnish : undefined)

const ended: Array<Ended> = []
const { console: printed, isDone } = await Machine.run(kernel, image, folder, (report) => {
  if (report._tag === "Began") return console.log(`Linux ${report.kernel}, up after ${seconds(report.ms)}`)
  ended.push(report)
  console.log(`${report.state} ${report.name} (${seconds(report.ms)})`)
  for (const error of report.errors) console.log(error.replace(/^/gm, "    "))
})
const count = (state: Ended["state"]) => ended.filter((test) => test.state === state).length
if (!isDone) console.log("The virtual machine went before its tests had ended.")
if (!isDone || count("failed") > 0) console.log(`--- its console ---\n${printed}`)
end(count("passed"), count("failed") + (isDone ? 0 : 1))
