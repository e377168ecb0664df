// The executable, dist/tenement.js: it picks a bundle and runs it from what V8 compiled before.
//
// Of what `tenement ps` takes above Node's own start, most is compilation, and V8 can hand over its result: the first
// run of a command leaves it in the cache folder, later ones begin there. Such a cache is code: the folder has to be
// this user's own and closed to everybody else, or none is used. What fails here costs only the time to be saved.
"use strict"

// Node opens its debugger's port, to anybody on the machine, for whoever sends it this signal.
process.on("SIGUSR1", () => {})

const fs = require("node:fs")
const path = require("node:path")
const { parseArgs } = require("node:util")

const { compile, compileElsewhere, setFlagsOfDaemon } = require("./compile.cjs")

const user = process.geteuid()
const words = process.argv.slice(2)

const cacheFolder = () => {
  if (user === 0) return "/var/cache/tenement"
  const { HOME, XDG_CACHE_HOME } = process.env
  if (XDG_CACHE_HOME && path.isAbsolute(XDG_CACHE_HOME)) return path.join(XDG_CACHE_HOME, "tenement")
  if (HOME && path.isAbsolute(HOME)) return path.join(HOME, ".cache", "tenement")
  throw new Error("no place for a cache")
}

const isOurs = (stat) => stat.uid === user && (stat.mode & 0o077) === 0

const assertOurs = (folder) => {
  const stat = fs.lstatSync(folder)
  if (!stat.isDirectory() || !isOurs(stat)) throw new Error(`${folder} is not ours alone`)
}

const readCache = (entry) => {
  try {
    const folder = cacheFolder()
    assertOurs(folder)
    const file = fs.openSync(path.join(folder, entry), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW)
    try {
      return isOurs(fs.fstatSync(file)) ? fs.readFileSync(file) : undefined
    } finally {
      fs.closeSync(file)
    }
  } catch {
    return undefined
  }
}

/** Makes one folder; `recursive` is out of the question, since on some file systems (/proc) Node never returns. */
const makeFolder = (folder) => {
  try {
    fs.mkdirSync(folder, 0o700)
  } catch (error) {
    if (error.code !== "EEXIST") throw error
  }
}

const entriesKept = 16

const writeCache = (entry, data) => {
  try {
    const folder = cacheFolder()
    makeFolder(path.dirname(folder))
    makeFolder(folder)
    assertOurs(folder)
    const temporary = path.join(folder, `${entry}.${process.pid}`)
    fs.writeFileSync(temporary, data, { mode: 0o600, flag: "wx" })
    fs.renameSync(temporary, path.join(folder, entry))
    const oldest = fs.readdirSync(folder)
      .map((name) => path.join(folder, name))
      .map((file) => ({ file, written: fs.statSync(file).mtimeMs }))
      .sort((a, b) => b.written - a.written)
      .slice(entriesKept)
    for (const { file } of oldest) fs.rmSync(file, { force: true })
  } catch {
    // The next run compiles again.
  }
}

// V8 compares no more of the source than its length, so scripts/build.mjs puts a hash of the bundle here.
const entryOf = (name, hash) => `${name}-${hash}-${process.version}-${process.arch}.cache`

const run = (filename, script) => {
  const module = { exports: {} }
  script.runInThisContext()(module.exports, require, module, filename, __dirname)
  return module.exports
}

const runCommand = () => {
  const filename = path.join(__dirname, "cli.cjs")
  // An entry for each command, since V8 hands over what has run.
  const entry = entryOf(words.find((word) => /^[a-z]{1,16}$/.test(word)) ?? "none", process.env.TENEMENT_CLI_HASH)
  const cached = readCache(entry)
  const script = compile(filename, cached)
  if (cached === undefined || script.cachedDataRejected) {
    // 2 is for arguments that make no sense: such a word is no command.
    process.once("exit", (code) => code === 2 || writeCache(entry, script.createCachedData()))
  }
  run(filename, script)
}

/**
 * What a plain `tenement serve` was told. The daemon's bundle knows no more words than these; whatever else there is,
 * wrong words among it, the command line answers.
 */
const plainServe = () => {
  if (!words.includes("serve")) return undefined
  const text = { type: "string", multiple: true }
  const flag = { type: "boolean" }
  try {
    const { positionals, values } = parseArgs({
      args: words,
      allowPositionals: true,
      options: { config: { ...text, short: "c" }, socket: text, json: flag, "no-color": flag, handover: flag }
    })
    const { config = [], handover = false, json = false, "no-color": noColor = false, socket = [] } = values
    if (positionals.length > 1 || config.length > 1 || socket.length > 1) return undefined
    return { config: config[0], socket: socket[0], json, noColor, handover }
  } catch {
    return undefined
  }
}

const runDaemon = (globals) => {
  const filename = path.join(__dirname, "daemon.cjs")
  const entry = entryOf("serve", process.env.TENEMENT_DAEMON_HASH)
  setFlagsOfDaemon()
  let cached = readCache(entry)
  if (cached === undefined) {
    cached = compileElsewhere(filename)
    if (cached !== undefined) writeCache(entry, cached)
  }
  const script = compile(filename, cached)
  if (script.cachedDataRejected) writeCache(entry, script.createCachedData())
  run(filename, script).main(globals)
}

const globals = plainServe()
if (globals === undefined) runCommand()
else runDaemon(globals)
