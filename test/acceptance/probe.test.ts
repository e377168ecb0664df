import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Path from "node:path"
import * as Probe from "./Probe.ts"
import { rootWith } from "./Requirement.ts"

const { isSkipped, told } = rootWith("runsc")

const document = Path.resolve(import.meta.dirname, "../../docs/isolation.md")
const [opening, closing] = ["<!-- probe: written by test/acceptance/probe.test.ts -->", "<!-- /probe -->"]

const table = (rows: ReadonlyArray<Probe.Row>): string =>
  [Probe.head, Probe.head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

// What a bare process can do is the host's affair, and differs with its kernel and its settings.
const isolated = (lines: string) => lines.split("\n").map((line) => line.split(" | ").toSpliced(1, 1))

describe("isolation", () => {
  it.scopedLive.skipIf(isSkipped)(
    `is at each level as docs/isolation.md has it (UPDATE=1 writes it anew)${told}`,
    () =>
      Effect.gen(function*() {
        const found = table(yield* Probe.run)
        const text = fs.readFileSync(document, "utf8")
        const [before, after] = [text.indexOf(opening) + opening.length, text.indexOf(closing)]
        if (process.env["UPDATE"] === "1") {
          fs.writeFileSync(document, `${text.slice(0, before)}\n\n${found}\n\n${text.slice(after)}`)
        } else assert.deepStrictEqual(isolated(text.slice(before, after).trim()), isolated(found))
      })
  )
})
