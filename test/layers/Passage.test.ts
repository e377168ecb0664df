import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { defaultId, ServiceName } from "../../src/domain/Names.ts"
import * as Embed from "../../src/embed.ts"
import { LaunchFailed } from "../../src/layers/Errors.ts"
import * as InstanceDir from "../../src/layers/InstanceDir.ts"
import { closedTo } from "../../src/layers/internal/closedTo.ts"
import * as Passage from "../../src/layers/Passage.ts"
import { folder, instance, isRoot } from "./Harness.ts"

const nobody = { uid: 65534, gid: 65534, groups: [65534] }

/** What the kernel says of the same question. */
const mayEnter = (who: { readonly uid: number; readonly groups: ReadonlyArray<number> }, path: string): boolean => {
  const ids = [`--reuid=${who.uid}`, `--regid=${who.groups[0]}`, `--groups=${who.groups.join(",")}`]
  try {
    execFileSync("setpriv", [...ids, "--", "test", "-x", path])
    return true
  } catch {
    return false
  }
}

const setup = Effect.gen(function*() {
  const dir = yield* folder
  Fs.chmodSync(dir, 0o755)
  const make = (path: string, mode: number): string => {
    Fs.mkdirSync(`${dir}/${path}`, { recursive: true })
    Fs.chmodSync(`${dir}/${path}`, mode)
    return `${dir}/${path}`
  }
  const program = `${make("bin", 0o755)}/program`
  Fs.copyFileSync("/bin/true", program)
  Fs.chmodSync(program, 0o755)
  const needs = (
    at: { readonly cwd?: string; readonly command?: string; readonly dir?: string; readonly run?: string }
  ) =>
    Passage.check({
      instance,
      argv: [at.command ?? program],
      cwd: at.cwd ?? "/",
      env: { PATH: `${dir}/bin` },
      user: "nobody",
      group: null
    }, {
      endpoint: { publicPath: "/nowhere", privatePath: `${at.run ?? make("run", 0o755)}/1.sock`, port: null },
      instanceDir: at.dir ?? "/"
    })
  return { dir, make, needs, program }
})

describe.skipIf(!isRoot)("the way of a user", () => {
  it.scopedLive("is judged as the kernel judges it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      Fs.chmodSync(dir, 0o755)
      const step = FC.record({
        mode: FC.nat(0o777),
        uid: FC.constantFrom(0, 65534, 12345),
        gid: FC.constantFrom(0, 65534, 7777),
        link: FC.boolean()
      })
      let count = 0
      const property = FC.property(
        FC.array(step, { minLength: 1, maxLength: 3 }),
        FC.constantFrom([65534], [65534, 7777]),
        (steps, groups) => {
          const top = `${dir}/${count++}`
          Fs.mkdirSync(top)
          let path = top
          for (const [at, { gid, link, mode, uid }] of steps.entries()) {
            path = `${path}/${at}`
            Fs.mkdirSync(link ? `${path}.real` : path)
            if (link) Fs.symlinkSync(`${at}.real`, path)
            Fs.chownSync(path, uid, gid)
            Fs.chmodSync(path, mode)
          }
          const who = { ...nobody, groups }
          assert.strictEqual(closedTo(who, path) === undefined, mayEnter(who, path))
        }
      )
      FC.assert(property, { numRuns: 60 })
    }))

  it.scopedLive("a run's folders and command are named when its user cannot get to them", () =>
    Effect.gen(function*() {
      const { make, needs, program } = yield* setup
      const closed = make("closed", 0o750)
      const inside = make("closed/inside", 0o755)
      yield* needs({})
      for (
        const [what, at] of Object.entries({
          "its working folder": { cwd: inside },
          "its own folder": { dir: inside },
          "its socket": { run: inside }
        })
      ) {
        const error = yield* Effect.flip(needs(at))
        assert.strictEqual(error.code, "EACCES")
        assert.include(error.message, `its user cannot enter ${closed}, and ${what} is below it`)
      }
      Fs.copyFileSync(program, `${inside}/program`)
      assert.include((yield* Effect.flip(needs({ command: `${inside}/program` }))).message, `execute ${closed}, which`)
      Fs.chmodSync(program, 0o744)
      assert.include((yield* Effect.flip(needs({ command: "program" }))).message, `execute ${program}, which`)
    }))

  it.scopedLive("config check has its doubts before anything is made", () =>
    Effect.gen(function*() {
      const { make } = yield* setup
      const closed = make("closed", 0o700)
      const { settings } = Embed.config({
        services: [],
        settings: { dataDir: `${closed}/data`, runDir: `${closed}/run` }
      })
      const doubts = (user: string | null) =>
        Passage.doubts(settings, Embed.service({ name: "api", command: "true", cwd: `${closed}/app`, user }))
      assert.lengthOf(doubts("nobody"), 3)
      for (const { what } of doubts("nobody")) assert.include(what, `its user cannot enter ${closed}`)
      assert.deepStrictEqual(doubts(null), [])
      assert.deepStrictEqual(doubts("root"), [])
    }))
})

describe.skipIf(!isRoot)("an instance's folder", () => {
  const name = ServiceName.make("api")
  const made = (dataDir: string) =>
    InstanceDir.make(Embed.config({ services: [], settings: { dataDir } }).settings, instance, {
      user: "nobody",
      group: null
    })

  it.scopedLive("is its user's own, and those above it can be passed and not listed", () =>
    Effect.gen(function*() {
      const { dir } = yield* setup
      const dataDir = `${dir}/link/data`
      Fs.mkdirSync(`${dir}/real`)
      Fs.symlinkSync("real", `${dir}/link`)
      for (let again = 0; again < 2; again++) yield* made(dataDir)
      const own = `${dataDir}/${name}/${defaultId}`
      assert.deepInclude(Fs.statSync(own), { uid: 65534, mode: 0o40700 })
      assert.deepInclude(Fs.statSync(dataDir), { uid: 0, mode: 0o40711 })
      assert.isTrue(mayEnter(nobody, own))
    }))

  it.scopedLive("is not given, and nothing is opened, where somebody could exchange it", () =>
    Effect.gen(function*() {
      const { dir, make } = yield* setup
      const theirs = make("theirs", 0o755)
      const victim = make("victim/data/api/default", 0o700)
      Fs.chmodSync(`${dir}/victim/data`, 0o700)
      Fs.lchownSync(theirs, 12345, 12345)
      for (const dataDir of [`${theirs}/data`, `${theirs}/link/data`]) {
        Fs.rmSync(`${theirs}/link`, { force: true })
        Fs.symlinkSync(`${dir}/victim`, `${theirs}/link`)
        const error = yield* Effect.flip(made(dataDir))
        assert.instanceOf(error, LaunchFailed)
        assert.include(error.message, `may change what is in ${theirs}`)
      }
      assert.strictEqual(Fs.statSync(victim).uid, 0)
      assert.strictEqual(Fs.statSync(Path.dirname(Path.dirname(victim))).mode & 0o777, 0o700)
      // A link in the place of the folder itself is not followed.
      Fs.mkdirSync(`${dir}/data/api`, { recursive: true })
      Fs.symlinkSync(victim, `${dir}/data/api/default`)
      yield* Effect.flip(made(`${dir}/data`))
      assert.strictEqual(Fs.statSync(victim).uid, 0)
    }))

  it.scopedLive("names the account that is not there, and says what is asked", () =>
    Effect.gen(function*() {
      const { dir } = yield* setup
      const settings = Embed.config({ services: [], settings: { dataDir: `${dir}/data` } }).settings
      const error = yield* Effect.flip(InstanceDir.make(settings, instance, { user: "no-such-user", group: null }))
      assert.match(error.message, /user no-such-user is not in \/etc\/passwd .* or give its number/)
    }))
})
