import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { find } from "../../src/config/Find.ts"
import { load } from "../../src/config/Load.ts"
import { serviceLines } from "../../src/config/ServiceLines.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tenement-config-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
)

const complaint = (file: string) =>
  Effect.map(Effect.either(load(file)), (result) => {
    if (Either.isRight(result)) assert.fail("it loaded")
    return result.left.message
  })

const one = (name: string) => `[service.${name}]\ncommand = "x"\nisolation = "process"\n`

describe("Load.load, on a real disk", () => {
  it.scopedLive("says what is in the way of reading a file", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const file = (name: string, content: string | Uint8Array) => {
        Fs.writeFileSync(Path.join(dir, name), content)
        return Path.join(dir, name)
      }
      const big = file("big.toml", "")
      Fs.truncateSync(big, 50 * 1024 * 1024)
      Fs.symlinkSync("loop.toml", Path.join(dir, "loop.toml"))
      const cases: ReadonlyArray<readonly [file: string, said: string]> = [
        [Path.join(dir, "none.toml"), ":1:1: there is no such file"],
        [Path.join(dir, "x".repeat(300)), ":1:1: this file cannot be read"],
        [Path.join(dir, "loop.toml"), ":1:1: this file cannot be read"],
        [dir, ":1:1: this is a folder, not a file"],
        [Path.join(file("plain", ""), "x.toml"), ":1:1: "],
        ["/dev/zero", ":1:1: this is no plain file"],
        [big, ":1:1: this file is larger than 1 MiB"],
        [file("binary.toml", new Uint8Array([97, 10, 98, 0, 255])), ":2:2: this is no text: it holds a NUL byte"],
        [file("latin1.toml", new Uint8Array([97, 10, 0xe9, 10])), ":2:1: this is no UTF-8 text"],
        [file("empty.toml", ""), ":1:1: no [service.NAME] is declared"]
      ]
      for (const [path, said] of cases) {
        const message = yield* complaint(path)
        assert.isTrue(message.startsWith(path + said), message)
      }
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.scopedLive("reads an included file once, under whichever of its names, and sees through links", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const main = Path.join(dir, "tenement.toml")
      Fs.mkdirSync(Path.join(dir, "services"))
      Fs.writeFileSync(Path.join(dir, "services/a.toml"), one("a"))
      Fs.symlinkSync("a.toml", Path.join(dir, "services/b.toml"))
      Fs.writeFileSync(main, `\uFEFFinclude = ["services/*.toml", "*/a.toml"]\n${one("main")}`)
      const { services } = yield* load(main)
      assert.deepStrictEqual([...services.keys()], ["main", "a"] as ReadonlyArray<string>)

      Fs.symlinkSync("..", Path.join(dir, "services/up"))
      Fs.writeFileSync(Path.join(dir, "services/a.toml"), "include = [\"up/tenement.toml\"]")
      assert.include(yield* complaint(main), "the files include each other")
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.scopedLive("bears what is deep, long and many", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const file = Path.join(dir, "tenement.toml")
      const texts: ReadonlyArray<readonly [text: string, said: string]> = [
        [`a = ${"[".repeat(100_000)}`, "this is no TOML"],
        [`a = ${"[".repeat(900)}${"]".repeat(900)}`, "unknown key"],
        [`${"a.".repeat(100_000)}b = 1`, "unknown key"],
        [Array.from({ length: 20_000 }, (_, index) => `k${index} = 1`).join("\n"), "… and 19900 more like these"],
        [`[service.a]\ncommand = "${"x".repeat(900_000)}'"`, "is never closed"],
        [
          Array.from({ length: 5000 }, (_, index) => `${one(`s${index}`)}depends_on = ["s${(index + 1) % 5000}"]\n`)
            .join(""),
          "these wait for each other: s0 -> s1 -> s2"
        ]
      ]
      for (const [text, said] of texts) {
        Fs.writeFileSync(file, text)
        assert.include(yield* complaint(file), said)
      }
    }).pipe(Effect.provide(NodeFileSystem.layer)), 120_000)
})

describe("Find.find", () => {
  it.scopedLive("takes what is named, else what exists", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      assert.strictEqual(yield* find("/named.toml"), "/named.toml")
      const before = process.cwd()
      yield* Effect.acquireRelease(
        Effect.sync(() => process.chdir(dir)),
        () => Effect.sync(() => process.chdir(before))
      )
      if (!Fs.existsSync("/etc/tenement/tenement.toml")) {
        assert.include((yield* Effect.flip(find(undefined))).message, "tenement.toml and /etc/tenement/tenement.toml")
      }
      Fs.writeFileSync(Path.join(dir, "tenement.toml"), "")
      assert.strictEqual(yield* find(undefined), "tenement.toml")
      assert.strictEqual(yield* find(""), "tenement.toml")
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})

describe("ServiceLines.serviceLines", () => {
  it("sees no header in strings and comments", () => {
    const text = [
      "# [service.comment]",
      "a = \"\"\"",
      "[service.string]",
      "\"\"\"",
      "b = '''",
      "[service.literal]",
      "'''",
      "c = \"#'\" # '",
      "  [ service . one ]",
      "[service.\"two\"]",
      "[service.'three'.env]",
      "[service.three]"
    ].join("\n")
    assert.deepStrictEqual([...serviceLines(text)], [["one", 9], ["two", 10], ["three", 11]])
  })
})
