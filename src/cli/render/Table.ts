/**
 * A table that fits where it is shown.
 *
 * @since 0.1.0
 */
import * as Palette from "./Palette.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  readonly paint?: (row: Row) => Palette.Paint
  readonly align?: "right"
  /** May be cut down to so many columns when room is short. */
  readonly shrinksTo?: number
  /** What is given up first when room is short: the greatest. 0 is never given up. */
  readonly spare: number
}

const gap = "  "

const cut = (text: string, columns: number): string => {
  const characters = [...text]
  if (characters.length <= columns) return text
  if (columns <= 1) return characters.slice(0, columns).join("")
  // The end of a path or a name says more than its middle.
  const head = Math.floor((columns - 1) / 2)
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (columns - 1 - head)).join("")}`
}

interface Sized {
  readonly index: number
  readonly natural: number
  readonly least: number
  readonly spare: number
}

const needed = (widths: ReadonlyArray<number>): number =>
  widths.reduce((sum, width) => sum + width, 0) + gap.length * Math.max(0, widths.length - 1)

/** The columns that stay, and their widths. */
const fit = (sizes: ReadonlyArray<Sized>, room: number): ReadonlyArray<{ index: number; width: number }> => {
  let kept = sizes
  // A column that is not to be given up is not cut either, as long as another can go.
  const least = (column: Sized) => column.spare === 0 ? column.natural : column.least
  while (needed(kept.map(least)) > room) {
    const given = kept.reduce((most, column) => column.spare >= most.spare ? column : most)
    if (given.spare === 0) break
    kept = kept.filter((column) => column !== given)
  }
  let excess = needed(kept.map((column) => column.natural)) - room
  const widths = new Map(kept.map((column) => [column.index, column.natural]))
  for (const column of [...kept].toSorted((a, b) => b.spare - a.spare)) {
    if (excess <= 0) break
    const taken = Math.min(excess, column.natural - column.least)
    widths.set(column.index, column.natural - taken)
    excess -= taken
  }
  return kept.map(({ index }) => ({ index, width: widths.get(index) ?? 0 }))
}

/**
 * The lines of a table. `room` is the width of the terminal, `null` where every cell is to be printed whole.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lines = <Row>(
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>,
  options: { readonly room: number | null; readonly palette: Palette.Palette }
): ReadonlyArray<string> => {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)))
  const sizes = columns.map((column, index): Sized => {
    const natural = Math.max(Palette.width(column.title), ...cells.map((row) => Palette.width(row[index] ?? "")))
    return { index, natural, least: Math.min(natural, column.shrinksTo ?? natural), spare: column.spare }
  })
  const { palette, room } = options
  const shown = room === null ? sizes.map(({ index, natural }) => ({ index, width: natural })) : fit(sizes, room)
  const line = (
    cell: (column: Column<Row>, index: number) => readonly [text: string, paint: Palette.Paint]
  ): string => {
    let text = ""
    let left = room ?? Number.POSITIVE_INFINITY
    for (const [position, { index, width }] of shown.entries()) {
      const column = columns[index]
      if (column === undefined || left <= 0) break
      const [content, paint] = cell(column, index)
      const before = position === 0 ? "" : gap.slice(0, left)
      left -= before.length
      const fitted = cut(content, Math.min(width, left))
      const padding = " ".repeat(Math.max(0, Math.min(width, left) - Palette.width(fitted)))
      const last = position === shown.length - 1
      text += before +
        (column.align === "right" ? padding + paint(fitted) : paint(fitted) + (last ? "" : padding))
      left -= Math.min(width, left)
    }
    return text.trimEnd()
  }
  return [
    line((column) => [column.title, palette.faint]),
    ...rows.map((row, at) =>
      line((column, index) => [cells[at]?.[index] ?? "", column.paint?.(row) ?? ((text) => text)])
    )
  ]
}
