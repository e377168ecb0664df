// Builds dist/:
//
//   tenement.js     the executable, and compile.cjs with it: scripts/launcher/, minified
//   cli.cjs         src/bin.ts and all it needs, without the daemon
//   daemon.cjs      src/serve.ts, without the command line; the launcher takes it for `tenement serve`
//   lib/            the library with its types, as `exports` of package.json names it
//
// Options: --if-needed leaves a dist/ alone that was built from these very sources; --no-lib skips lib/.

import * as esbuild from "esbuild"
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

// The daemon has, besides Effect, an HTTP client of its own towards instances, hands over to the next one, and brings the program
// that keeps what services print.
const budgets = { "cli.cjs": 704 * 1024, "daemon.cjs": 824 * 1024 }

const ifNeeded = process.argv.includes("--if-needed")
const withLib = !process.argv.includes("--no-lib")

const fail = (message) => {
  console.error(`build: ${message}`)
  process.exit(1)
}

// --- what dist/ is made of --------------------------------------------------------------------------------------

const filesUnder = (folder) =>
  fs.readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))

const fingerprint = () => {
  const hash = createHash("sha256")
  const inputs = [
    ...filesUnder("src"),
    ...filesUnder("scripts/launcher"),
    "scripts/build.mjs",
    "package.json",
    "package-lock.json",
    "tsconfig.base.json",
    "tsconfig.build.json"
  ]
  for (const file of inputs.sort()) {
    const content = fs.readFileSync(file)
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest("hex")
}

const built = fingerprint()
if (ifNeeded) {
  const before = fs.existsSync("dist/.built-from") ? fs.readFileSync("dist/.built-from", "utf8") : ""
  if (before === built) process.exit(0)
}

// A new dist/ grows beside the old one and takes its place in one step, so a running test never sees half of it.
const out = `dist.${process.pid}`
process.once("exit", () => fs.rmSync(out, { recursive: true, force: true }))
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1))
fs.mkdirSync(out)

// --- the bundles ------------------------------------------------------------------------------------------------

const daemon = path.join(root, "src/daemon.ts")

/** Leaves the daemon to its own bundle, which is loaded when `serve` was written in a way the launcher did not know. */
const daemonElsewhere = {
  name: "daemon-elsewhere",
  setup(build) {
    build.onResolve({ filter: /(^|\/)daemon\.ts$/ }, (args) => {
      if (path.resolve(args.resolveDir, args.path) !== daemon) return undefined
      if (args.kind === "dynamic-import") return { path: "./daemon.cjs", external: true }
      return { errors: [{ text: `${path.relative(root, args.importer)} may reach the daemon only by import()` }] }
    })
  }
}

/**
 * Leaves out what libraries bring along for things that the daemon never does: WebSockets of @effect/platform-node's
 * server, uploads of forms, and traces in prom-client's histograms. 90 KiB of code, and 1 MB of an idle supervisor.
 */
const neverUsed = {
  name: "never-used",
  setup(build) {
    build.onResolve({ filter: /^(ws|multipasta(\/.*)?|@opentelemetry\/api)$/ }, ({ path }) => ({
      path,
      namespace: "never-used"
    }))
    build.onLoad({ filter: /.*/, namespace: "never-used" }, () => ({ contents: "module.exports = {}" }))
  }
}

const bundle = async (name, entry, plugins) => {
  const result = await esbuild.build({
    entryPoints: [entry],
    outfile: `${out}/${name}`,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    minify: true,
    legalComments: "none",
    charset: "ascii",
    // V8's code cache needs a plain script, and a plain script has no import() and no import.meta.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "__tenementUrl" },
    banner: { js: `"use strict";const __tenementUrl=require("node:url").pathToFileURL(__filename).href;` },
    plugins,
    metafile: true,
    logLevel: "warning"
  })
  checkInputs(name, result.metafile)
  return Object.values(result.metafile.outputs)[0].bytes
}

/** Fails on what makes a bundle large without anybody noticing: barrels, and a package's second copy. */
const checkInputs = (name, metafile) => {
  const barrel = /node_modules\/(effect|@effect\/[^/]+)\/dist\/[^/]+\/index\.js$/
  const secondCopy = /node_modules\/(effect|@effect\/[^/]+)\/dist\/cjs\//
  const nested = /node_modules\/.*node_modules\/(effect|@effect\/[^/]+)\//
  const used = Object.entries(Object.values(metafile.outputs)[0].inputs)
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([file]) => file)
  if (name === "cli.cjs") {
    const heavy = used.filter((file) => /^src\/(actors|gateway)\/(?!Errors\.ts$)/.test(file))
    if (heavy.length > 0) {
      fail(`${name} contains ${heavy.join(", ")}: the command line reaches them by src/daemon.ts only`)
    }
  }
  for (const file of used) {
    if (barrel.test(file) || secondCopy.test(file) || nested.test(file)) fail(`${name} contains ${file}`)
  }
  for (const [file, { imports }] of Object.entries(metafile.inputs)) {
    if (!file.startsWith("src/")) continue
    for (const target of imports) {
      if (barrel.test(target.path)) fail(`${file} imports ${target.original}: import the module itself`)
    }
  }
  const { bytes } = Object.values(metafile.outputs)[0]
  if (bytes > budgets[name]) {
    const largest = Object.entries(Object.values(metafile.outputs)[0].inputs)
      .sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput)
      .slice(0, 15)
      .map(([file, { bytesInOutput }]) => `  ${kib(bytesInOutput).padStart(9)}  ${file}`)
    fail(
      `${name} has ${kib(bytes)}, over its budget of ${kib(budgets[name])}; the largest parts are\n${
        largest.join("\n")
      }`
    )
  }
}

const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`

const launcher = async () => {
  const hashOf = (name) => {
    const hash = createHash("sha256").update(fs.readFileSync(`${out}/${name}`)).digest("hex")
    return JSON.stringify(hash.slice(0, 16))
  }
  const write = async (source, target, options) => {
    const { code } = await esbuild.transform(fs.readFileSync(`scripts/launcher/${source}`, "utf8"), {
      format: "cjs",
      target: "node20",
      minify: true,
      ...options
    })
    fs.writeFileSync(`${out}/${target}`, code)
  }
  await write("compile.cjs", "compile.cjs")
  await write("tenement.cjs", "tenement.js", {
    banner: "#!/usr/bin/env node",
    define: {
      "process.env.TENEMENT_CLI_HASH": hashOf("cli.cjs"),
      "process.env.TENEMENT_DAEMON_HASH": hashOf("daemon.cjs")
    }
  })
  fs.chmodSync(`${out}/tenement.js`, 0o755)
  fs.writeFileSync(`${out}/package.json`, `{ "type": "commonjs" }\n`)
}

// --- the library ------------------------------------------------------------------------------------------------

const library = () =>
  new Promise((resolve, reject) => {
    const tsc = spawn(
      process.execPath,
      ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--outDir", `${out}/lib`],
      { stdio: ["ignore", "inherit", "inherit"] }
    )
    tsc.once("error", reject)
    tsc.once("exit", (code) => {
      if (code !== 0) return reject(new Error("the library does not compile"))
      fs.writeFileSync(`${out}/lib/package.json`, `{ "type": "module" }\n`)
      resolve()
    })
  })

// --- all of it --------------------------------------------------------------------------------------------------

const started = performance.now()
let sizes
try {
  const [cli, serve] = await Promise.all([
    bundle("cli.cjs", "src/bin.ts", [daemonElsewhere]),
    bundle("daemon.cjs", "src/serve.ts", [neverUsed]),
    withLib ? library() : undefined
  ])
  sizes = `cli.cjs ${kib(cli)}, daemon.cjs ${kib(serve)}`
  await launcher()
} catch (error) {
  fail(error.message)
}
if (withLib) fs.writeFileSync(`${out}/.built-from`, built)

const old = `${out}.old`
for (let tries = 0;; tries++) {
  try {
    fs.renameSync(out, "dist")
    break
  } catch (error) {
    // There is one, perhaps since a moment ago, from another build.
    if (!["ENOTEMPTY", "EEXIST"].includes(error.code) || tries === 10) throw error
    try {
      fs.renameSync("dist", old)
    } catch (gone) {
      if (gone.code !== "ENOENT") throw gone
    }
    fs.rmSync(old, { recursive: true, force: true })
  }
}
console.log(`build: ${sizes}, in ${((performance.now() - started) / 1000).toFixed(1)} s`)
