/** The simulation as one file, with or without changes to the source: what runs without being transformed on the way is faster. */
import * as esbuild from "esbuild"
import * as fs from "node:fs"
import * as path from "node:path"

export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

const root = path.resolve(import.meta.dirname, "../..")

const isOnce = (text: string, find: string): boolean => text.split(find).length === 2

/** Whether what an edit replaces is in the source, and there only once. */
export const fits = ({ file, find }: Edit): boolean => isOnce(fs.readFileSync(path.join(root, file), "utf8"), find)

/** Bundles the program that lives seeds. An edit that does not fit the source, or fits it twice, is an error. */
export const make = async (to: string, edits: ReadonlyArray<Edit> = []): Promise<void> => {
  const missed = new Set(edits)
  await esbuild.build({
    entryPoints: [path.join(root, "test/sim/worker.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: to,
    logLevel: "error",
    banner: { js: "import { createRequire } from \"node:module\"; const require = createRequire(import.meta.url)" },
    plugins: edits.length === 0 ? [] : [{
      name: "edits",
      setup: (build) =>
        build.onLoad({ filter: /\.ts$/ }, ({ path: at }) => {
          const here = edits.filter(({ file }) => file === path.relative(root, at))
          if (here.length === 0) return undefined
          let text = fs.readFileSync(at, "utf8")
          for (const edit of here) {
            if (isOnce(text, edit.find)) missed.delete(edit)
            text = text.replace(edit.find, () => edit.replace)
          }
          return { contents: text, loader: "ts" }
        })
    }]
  })
  for (const { file, find } of missed) throw new Error(`not once in ${file}: ${find}`)
}
