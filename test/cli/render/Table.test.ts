import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Instances from "../../../src/cli/render/Instances.ts"
import * as Palette from "../../../src/cli/render/Palette.ts"
import * as Table from "../../../src/cli/render/Table.ts"
import { InstanceView } from "../../../src/domain/Views.ts"

const rows = FastCheck.array(
  FastCheck.array(FastCheck.stringOf(FastCheck.constantFrom(..."abc/…ü-")), {
    minLength: 4,
    maxLength: 4
  }),
  { maxLength: 5 }
)

const columns = (palette: Palette.Palette): ReadonlyArray<Table.Column<ReadonlyArray<string>>> => [
  { title: "NAME", cell: (row) => row[0] ?? "", spare: 0, shrinksTo: 3 },
  { title: "STATE", cell: (row) => row[1] ?? "", spare: 0, paint: () => palette.bad },
  { title: "N", cell: (row) => row[2] ?? "", spare: 2, align: "right" },
  { title: "PATH", cell: (row) => row[3] ?? "", spare: 3, shrinksTo: 4 }
]

const palette = FastCheck.constantFrom(Palette.ansi, Palette.plain)

describe("Table", () => {
  it("is never wider than the terminal", () => {
    FastCheck.assert(
      FastCheck.property(rows, FastCheck.integer({ min: 1, max: 60 }), palette, (rows, room, palette) => {
        for (const line of Table.lines(columns(palette), rows, { room, palette })) {
          assert.isAtMost(Palette.width(line), room)
        }
      })
    )
  })

  it("loses nothing where there is no terminal", () => {
    FastCheck.assert(FastCheck.property(rows, (rows) => {
      const [, ...lines] = Table.lines(columns(Palette.plain), rows, { room: null, palette: Palette.plain })
      for (const [index, row] of rows.entries()) {
        assert.deepStrictEqual(
          lines[index]?.split(/ +/).filter((cell) => cell !== ""),
          row.filter((cell) => cell !== "")
        )
      }
    }))
  })

  it("keeps the columns that matter most, whatever the room", () => {
    const row = ["api:prod", "healthy", "12", "/run/tenement-services/api-prod.sock"]
    const shown = (room: number) => Table.lines(columns(Palette.plain), [row], { room, palette: Palette.plain })[1]
    assert.strictEqual(shown(80), "api:prod  healthy  12  /run/tenement-services/api-prod.sock")
    assert.strictEqual(shown(40), "api:prod  healthy  12  /run/ten…rod.sock")
    assert.strictEqual(shown(21), "api:prod  healthy  12")
    assert.strictEqual(shown(17), "api:prod  healthy")
    assert.strictEqual(shown(12), "a…d  healthy")
  })

  it("has the same number of words in every line of `ps` that goes into a pipe", () => {
    const instance = Arbitrary.make(
      Schema.Struct({ ...InstanceView.fields, socket: Schema.NullOr(Schema.Literal("/a.sock")) })
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(instance, { minLength: 1, maxLength: 5 }), (instances) => {
        const lines = Instances.lines(instances, { now: 0, room: null, palette: Palette.plain })
        for (const line of lines) assert.lengthOf(line.split(/ +/), 9)
      }),
      { numRuns: 50 }
    )
  })
})
