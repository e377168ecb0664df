import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Esbuild from "esbuild"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Lock from "../../src/layers/Lock.ts"

const root = Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-lock-"))
const program = Path.join(root, "contender.mjs")
const children = new Set<ChildProcess>()

// Takes the lock and says how it went; one that holds it stays until its input ends.
const source = `
  import * as Effect from "effect/Effect"
  import { hold } from "./src/layers/Lock.ts"
  const [dir] = process.argv.slice(2)
  const contend = Effect.scoped(Effect.matchEffect(hold(dir), {
    onSuccess: () => Effect.async(() => {
      process.stdout.write("held " + process.pid + "\\n")
      process.stdin.resume().on("end", () => process.exit(0))
    }),
    onFailure: (error) => Effect.sync(() => process.stdout.write(error._tag + " " + error.pid + "\\n"))
  }))
  process.stdin.once("data", () => Effect.runFork(contend))
  process.stdout.write("ready\\n")
`

beforeAll(() =>
  Esbuild.build({
    stdin: { contents: source, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: program,
    logLevel: "error"
  })
)

afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  Fs.rmSync(root, { recursive: true, force: true })
})

/** A process that is ready to take the lock, and takes it when told to. */
const contender = async (dir: string) => {
  const child = spawn(process.execPath, [program, dir], { stdio: ["pipe", "pipe", "inherit"] })
  children.add(child)
  child.stdout.setEncoding("utf8")
  await once(child.stdout, "data")
  return {
    child,
    go: async (): Promise<string> => {
      const said = once(child.stdout, "data")
      child.stdin.write("go\n")
      return String((await said)[0]).trim()
    },
    end: async (signal: NodeJS.Signals) => {
      const exited = once(child, "exit")
      child.kill(signal)
      await exited
      children.delete(child)
    }
  }
}

const contest = async (dir: string, count: number) => {
  const contenders = await Promise.all(Array.from({ length: count }, () => contender(dir)))
  const said = await Promise.all(contenders.map((one) => one.go()))
  const holders = contenders.filter((_, index) => said[index]?.startsWith("held"))
  return { contenders, said, holders }
}

describe("Lock", () => {
  it.live("goes to one of twenty at once, and again after each kill -9", () =>
    Effect.promise(async () => {
      const dir = Path.join(root, "twenty")
      for (let round = 0; round < 3; round++) {
        const { contenders, holders, said } = await contest(dir, round === 0 ? 20 : 6)
        assert.strictEqual(holders.length, 1, said.join(", "))
        const refusals = said.filter((one) => !one.startsWith("held"))
        assert.deepStrictEqual(new Set(refusals), new Set([`AlreadyRunning ${holders[0]?.child.pid}`]))
        await Promise.all(contenders.map((one) => one.end("SIGKILL")))
      }
      assert.deepStrictEqual(Fs.readdirSync(dir), ["lock.3"])
    }), 60_000)

  it.scopedLive("is one lock for all the paths of a folder, however long", () =>
    Effect.gen(function*() {
      const dir = Path.join(root, "d".repeat(120), "e".repeat(120))
      yield* Lock.hold(dir)
      Fs.symlinkSync(dir, Path.join(root, "link"))
      const refused = yield* Effect.flip(Effect.scoped(Lock.hold(Path.join(root, "link"))))
      assert.strictEqual(refused._tag, "AlreadyRunning")
      assert.include(refused.message, String(process.pid))
    }))

  it.live("is free again after its scope, and leaves nothing open", () =>
    Effect.gen(function*() {
      const dir = Path.join(root, "again")
      const open = () => Fs.readdirSync("/proc/self/fd").length
      yield* Effect.scoped(Lock.hold(dir))
      const before = open()
      for (let n = 0; n < 50; n++) yield* Effect.scoped(Lock.hold(dir))
      assert.deepStrictEqual(Fs.readdirSync(dir), ["lock.51"])
      assert.isAtMost(open(), before + 1)
    }))

  it.live("is had by one at most of many fibers, and by each in the end", () =>
    Effect.gen(function*() {
      const dir = Path.join(root, "fibers")
      let inside = 0
      const once = Effect.scoped(Effect.gen(function*() {
        yield* Lock.hold(dir)
        assert.strictEqual(++inside, 1)
        yield* Effect.yieldNow()
        inside--
      })).pipe(Effect.retry({ while: (error) => error._tag === "AlreadyRunning" }))
      yield* Effect.forEach(Array.from({ length: 12 }), () => once, { concurrency: "unbounded" })
    }))

  it.live("takes away what is left of who was killed before it had the lock, and of nobody else", () =>
    Effect.promise(async () => {
      const dir = Path.join(root, "left")
      Fs.mkdirSync(dir)
      const [dead, alive] = [Path.join(dir, ".lock-dead"), Path.join(dir, ".lock-alive")]
      const server = Net.createServer().listen(Path.join(dir, "other"))
      await once(server, "listening")
      Fs.linkSync(Path.join(dir, "other"), dead)
      server.close()
      await once(server, "close")
      const trying = Net.createServer().listen(alive)
      await once(trying, "listening")
      await Effect.runPromise(Effect.scoped(Lock.hold(dir)))
      assert.deepStrictEqual(Fs.readdirSync(dir).sort(), [".lock-alive", "lock.1"])
      trying.close()
    }))

  it.live("says why a folder cannot be locked", () =>
    Effect.gen(function*() {
      const file = Path.join(root, "file")
      Fs.writeFileSync(file, "")
      const error = yield* Effect.flip(Effect.scoped(Lock.hold(file)))
      assert.strictEqual(error._tag, "LockFailed")
      assert.include(error.message, "EEXIST")
    }))
})
