/** @internal */
import * as Effect from "effect/Effect"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import { codeOf } from "../../../internal/errno.ts"
import type { Lack } from "../isolation/tools.ts"
import { bytes, compile } from "./compile.ts"
import { policy } from "./policy.ts"

const compiled = (capabilities: ReadonlyArray<string>): Buffer | undefined => {
  const { arch } = process
  return arch === "x64" || arch === "arm64" ? bytes(compile(arch, policy(capabilities))) : undefined
}

/** The files of filters in a folder that nobody else may write: one for each set of capabilities, written once. */
export const inFolder = (folder: string) => {
  const filters = new Map<string, { readonly path: string; readonly content: Buffer }>()

  const filterOf = (capabilities: ReadonlyArray<string>) => {
    const key = [...capabilities].sort().join(" ")
    const known = filters.get(key)
    if (known !== undefined) return known
    const content = compiled(capabilities)
    if (content === undefined) return undefined
    const digest = Crypto.createHash("sha256").update(content).digest("hex").slice(0, 16)
    const made = { path: `${folder}/seccomp-${digest}`, content }
    filters.set(key, made)
    return made
  }

  return (capabilities: ReadonlyArray<string>): Effect.Effect<string, Lack> =>
    Effect.suspend(() => {
      const filter = filterOf(capabilities)
      if (filter === undefined) {
        return Effect.fail({
          missing: `the system calls of ${process.arch} are not known`,
          advice: "Run it on x86-64 or ARM64, or set isolation = \"process\"."
        })
      }
      const { content, path } = filter
      return Effect.try({
        try: () => {
          if (Fs.existsSync(path)) return path
          // Whole or not at all, whenever the supervisor is killed.
          Fs.writeFileSync(`${path}.new`, content, { mode: 0o600 })
          Fs.renameSync(`${path}.new`, path)
          return path
        },
        catch: (error) => ({
          missing: `its filter of system calls cannot be written to ${path} (${codeOf(error)})`,
          advice: "Make sure that data_dir can be written to."
        })
      })
    })
}
