/** Stack traces of the tests' one file, told in lines of its sources. */
import * as fs from "node:fs"
import { SourceMap, type SourceMapPayload } from "node:module"
import * as path from "node:path"
import type { Image } from "./Image.ts"

const project = path.resolve(import.meta.dirname, "../..")

export const reader = ({ bundledIn, sourceMap }: Image) => {
  const map = new SourceMap(JSON.parse(fs.readFileSync(sourceMap, "utf8")) as SourceMapPayload)
  return (text: string): string =>
    text.replace(/file:\S+\/tests\.mjs:(\d+):(\d+)/g, (place, line: string, column: string) => {
      const found = map.findEntry(Number(line) - 1, Number(column) - 1)
      if (!("originalSource" in found)) return place
      const file = path.relative(project, path.resolve(bundledIn, found.originalSource))
      return `${file}:${found.originalLine + 1}:${found.originalColumn + 1}`
    })
}
