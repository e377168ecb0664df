/** Debian's own kernel, taken out of its package: nothing is installed, and no right is needed. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

const cached = path.resolve(import.meta.dirname, "../../node_modules/.cache/tenement/vmlinuz")

const inFolder = (folder: string) => (command: string, ...words: ReadonlyArray<string>): string =>
  execFileSync(command, words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

const download = (): void => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-kernel-"))
  try {
    const run = inFolder(folder)
    const [, image] = /Depends: (linux-image-\S+)/.exec(run("apt-cache", "depends", "linux-image-cloud-amd64")) ?? []
    run("apt-get", "download", image ?? "linux-image-cloud-amd64")
    const [archive] = fs.readdirSync(folder)
    run("dpkg-deb", "--extract", archive!, ".")
    const name = fs.readdirSync(`${folder}/boot`).find((name) => name.startsWith("vmlinuz-"))
    fs.mkdirSync(path.dirname(cached), { recursive: true })
    fs.copyFileSync(`${folder}/boot/${name}`, `${cached}.${process.pid}`)
    fs.renameSync(`${cached}.${process.pid}`, cached)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** The kernel's file; `TENEMENT_VM_KERNEL` names another one. */
export const find = (): string => {
  const named = process.env["TENEMENT_VM_KERNEL"]
  if (named !== undefined) return named
  if (!fs.existsSync(cached)) download()
  return cached
}
