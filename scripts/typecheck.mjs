// Checks the types and runs Effect's diagnostics, both in one pass: apart they take twice as long.
//
// Effect's language service does this by patching the compiler. It patches a copy, under node_modules/.cache/, so that
// every other tool has the compiler as it was published.

import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

const node = (...words) => {
  const { status } = spawnSync(process.execPath, words, { stdio: ["ignore", "inherit", "inherit"] })
  if (status !== 0) process.exit(status ?? 1)
}

const versionOf = (name) => JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`, "utf8")).version

const compiler = path.resolve(
  "node_modules/.cache/tenement",
  `typescript-${versionOf("typescript")}-${versionOf("@effect/language-service")}`
)

if (!fs.existsSync(compiler)) {
  const copy = `${compiler}.${process.pid}`
  fs.cpSync("node_modules/typescript", copy, { recursive: true, dereference: true })
  node("node_modules/@effect/language-service/cli.js", "patch", "--dir", copy, "--module", "tsc", "--log-level", "none")
  try {
    fs.renameSync(copy, compiler)
  } catch (error) {
    // Somebody else was as quick.
    fs.rmSync(copy, { recursive: true })
    if (!fs.existsSync(compiler)) throw error
  }
}

node(path.join(compiler, "bin/tsc"), "--noEmit")
