import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as ts from "typescript"
import { files, renew } from "../../scripts/docs.ts"
import * as NotYet from "../../src/config/NotYet.ts"

const documents = [
  "README.md",
  ...fs.readdirSync("docs").map((name) => `docs/${name}`),
  ...fs.readdirSync("examples").map((name) => `examples/${name}/README.md`)
].filter((file) => file.endsWith(".md") && fs.existsSync(file))

const read = (file: string) => fs.readFileSync(file, "utf8")

/** The code blocks of a language, and where they stand. */
const blocks = (language: string) =>
  documents.flatMap((file) =>
    [...read(file).matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, "gm"))].map((match) => ({
      where: `${file}:${read(file).slice(0, match.index).split("\n").length}`,
      text: match[1] ?? ""
    }))
  )

/** The anchor that a heading gets on a page. */
const anchor = (heading: string) => heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")

const anchors = (file: string) => [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading ?? ""))

describe("the documents", () => {
  it.each(files)("%s says what the code says (npx vite-node scripts/docs.ts)", (file) => {
    assert.strictEqual(read(file), renew(file, read(file)))
  })

  it("links lead somewhere", () => {
    for (const file of documents) {
      for (const [, target = ""] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue
        const [name = "", fragment] = target.split("#")
        const to = name === "" ? file : path.join(path.dirname(file), name)
        assert.isTrue(fs.existsSync(to), `${file} links to ${target}`)
        if (fragment !== undefined) assert.include(anchors(to), fragment, `${file} links to ${target}`)
      }
    }
  })

  it("every tenement.toml is one", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-docs-"))
    try {
      fs.writeFileSync(path.join(folder, "worker.env"), "TOKEN=secret\n")
      for (const { text, where } of blocks("toml")) {
        fs.writeFileSync(path.join(folder, "tenement.toml"), text)
        const check = spawnSync(process.execPath, [path.resolve("dist/tenement.js"), "config", "check"], {
          cwd: folder,
          encoding: "utf8"
        })
        assert.strictEqual(check.status, 0, `${where}: ${check.stderr}`)
      }
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  }, 60_000)

  it("what the documents call refused is refused", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-docs-"))
    const samples: Readonly<Record<string, string>> = {
      isolation: `"sandbox"`,
      network: `"none"`,
      private_tmp: "true",
      capabilities: "[]",
      sandbox_runtime: `"bubblewrap"`,
      memory_limit_mb: "64",
      cpu_shares: "100",
      cpu_limit: "0.5",
      pids_limit: "64",
      restart_mode: `"rolling"`,
      schedule: `"0 3 * * *"`
    }
    try {
      const keys = NotYet.inService.map(({ key }) => `${key} = ${samples[key]}\n`)
      fs.writeFileSync(path.join(folder, "tenement.toml"), `[service.a]\ncommand = "true"\n${keys.join("")}`)
      const { stderr } = spawnSync(process.execPath, [path.resolve("dist/tenement.js"), "config", "check"], {
        cwd: folder,
        encoding: "utf8"
      })
      for (const { key } of NotYet.inService) {
        assert.match(stderr, new RegExp(`service\\.a\\.${key}: .*not available in this version`))
      }
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  }, 60_000)

  it("docs/metrics.md lists every metric", () => {
    const names = (text: string) => [...new Set(text.match(/(?<=["`])tenement_\w+/g))].sort()
    const [listed = "", later = ""] = read("docs/metrics.md").split("Besides them")
    assert.deepStrictEqual(names(listed), names(read("src/layers/Metrics.ts")))
    for (const name of names(later)) assert.notInclude(names(listed), name)
  })

  it("docs/testing.md names every variable that the tests read", () => {
    const sources = fs.readdirSync("test", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
    const told = read("docs/testing.md")
    for (const source of sources) {
      for (const [, name] of read(`test/${source}`).matchAll(/process\.env\["(CI|UPDATE|TENEMENT_\w+)"\]/g)) {
        assert.include(told, `\`${name}\``, source)
      }
    }
  })

  it("docs/commands.md names every command and option there is", () => {
    const help = (...words: ReadonlyArray<string>) => {
      const run = spawnSync(process.execPath, ["dist/tenement.js", ...words, "--help"], { encoding: "utf8" })
      const [own = ""] = run.stdout.split("Options of every command")
      return {
        commands: [...(/^Commands\n([^]*?)\n\n/m.exec(`${own}\n\n`)?.[1] ?? "").matchAll(/^ {2}(\w+)/gm)].map((
          [, name]
        ) => name ?? ""),
        options: [...own.matchAll(/--[a-z-]+/g)].map(([option]) => option)
      }
    }
    const told = read("docs/commands.md")
    const walk = (path: ReadonlyArray<string>) => {
      const { commands, options } = help(...path)
      if (path.length > 0 && commands.length === 0) assert.include(told, `\`${path.join(" ")}`)
      for (const option of options) assert.include(told, option, path.join(" "))
      for (const name of commands) walk([...path, name])
    }
    walk([])
  }, 60_000)

  it("every TypeScript example compiles", () => {
    const examples = blocks("ts")
    const names = new Map(examples.map(({ text }, index) => [path.resolve(`docs/example-${index}.ts`), text]))
    const config = ts.parseJsonConfigFileContent(
      ts.readConfigFile("tsconfig.json", ts.sys.readFile).config,
      ts.sys,
      process.cwd()
    )
    const options: ts.CompilerOptions = {
      ...config.options,
      noEmit: true,
      noUnusedLocals: false,
      paths: {
        tenement: [path.resolve("src/index.ts")],
        "tenement/testkit": [path.resolve("src/testkit/index.ts")]
      }
    }
    const host = ts.createCompilerHost(options)
    const { fileExists, readFile } = host
    host.fileExists = (file) => names.has(file) || fileExists(file)
    host.readFile = (file) => names.get(file) ?? readFile(file)
    const program = ts.createProgram([...names.keys()], options, host)
    const problems = [...names.keys()].flatMap((file, index) =>
      ts.getPreEmitDiagnostics(program, program.getSourceFile(file)).map(({ messageText }) =>
        `${examples[index]?.where}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
      )
    )
    assert.deepStrictEqual(problems, [])
  }, 60_000)
})
