/** The virtual machine: qemu, all in software, since many a host that calls itself one has no KVM to give. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as readline from "node:readline"
import type { Image } from "./Image.ts"
import type { Began, Ended, Report } from "./Report.ts"
import * as Trace from "./Trace.ts"

/** A machine that hangs is ended. */
const patienceMs = 1_200_000

const linesShown = 100

export interface Run {
  /** The end of what the kernel and the supervisors had to say. */
  readonly console: string
  /** Whether all tests were run. */
  readonly isDone: boolean
}

/** Boots, hands on what is reported, and comes back when the machine is off. */
export const run = async (
  kernel: string,
  image: Image,
  folder: string,
  onReport: (report: Began | Ended) => void
): Promise<Run> => {
  const output = path.join(folder, "console")
  const options = [
    ["-accel", "tcg", "-smp", "2", "-m", "1536"],
    ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ["-serial", `file:${output}`, "-serial", "stdio"],
    ["-kernel", kernel, "-initrd", image.archive],
    ["-append", "console=ttyS0 loglevel=4 panic=-1 mitigations=off"]
  ]
  const qemu = spawn("qemu-system-x86_64", options.flat(), { stdio: ["ignore", "pipe", "inherit"] })
  const kill = () => void qemu.kill("SIGKILL")
  process.once("exit", kill)
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))
  const deadline = setTimeout(kill, patienceMs)

  const trace = Trace.reader(image)
  let isDone = false
  for await (const line of readline.createInterface({ input: qemu.stdout })) {
    const report = JSON.parse(line) as Report
    if (report._tag === "Done") isDone = true
    else onReport(report._tag === "Ended" ? { ...report, errors: report.errors.map(trace) } : report)
  }
  clearTimeout(deadline)
  return { console: fs.readFileSync(output, "utf8").split("\n").slice(-linesShown).join("\n"), isDone }
}
