/** The file system of the virtual machine: this machine's own programs, the built program, and the tests. */
import * as esbuild from "esbuild"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"

const project = path.resolve(import.meta.dirname, "../..")

/** What init, tenement and the tests call. Those that this machine does not have are left out. */
const programs = ("sh bash mkfifo setpriv prlimit bwrap unshare nsenter "
  + "mount mkdir chroot perl sleep cat sed env id true").split(" ")

const lookUp = (program: string): string | undefined =>
  ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map((folder) => `${folder}/${program}`).find((file) => fs.existsSync(file))

/** The libraries that a program is linked with, and its loader. */
const librariesOf = (program: string): ReadonlyArray<string> =>
  [...execFileSync("ldd", [program], { encoding: "utf8" }).matchAll(/(\/\S+) \(0x/g)].map(([, file]) => file!)

const perlFolder = (): string =>
  execFileSync("perl", ["-MConfig", "-e", "print $INC{'Config.pm'}"], { encoding: "utf8" }).replace(/\/Config\.pm$/, "")

/** A test file, and the name of those of its tests that are run; without it all of them are. */
export interface Tests {
  readonly file: string
  readonly only?: RegExp
}

/** The tests and all that they import, in one file that stands where their paths lead from. */
const bundle = async (tests: ReadonlyArray<Tests>, outfile: string): Promise<void> => {
  const parts = tests.map(({ file, only }) =>
    `{ file: ${JSON.stringify(file)}, only: ${String(only)}, load: () => import(${JSON.stringify(`./${file}`)}) }`
  )
  await esbuild.build({
    stdin: {
      contents: `import { run } from "./test/vm/Guest.ts"\nawait run([${parts.join(", ")}])`,
      resolveDir: project
    },
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    sourcemap: "external",
    sourcesContent: false,
    alias: { vitest: path.join(project, "test/vm/vitest.ts") },
    logLevel: "error"
  })
}

export interface Image {
  /** What the kernel unpacks. */
  readonly archive: string
  /** From the lines of the tests' one file to those of its sources. */
  readonly sourceMap: string
  /** The folder that the map's paths lead from. */
  readonly bundledIn: string
}

/**
 * Made in a folder that is the caller's. `furnish` adds to the file system, before this machine's programs come into it, and
 * leaves what is the first process; without it `init` is.
 */
export const make = async (
  folder: string,
  tests: ReadonlyArray<Tests>,
  furnish?: (root: string) => void
): Promise<Image> => {
  const root = path.join(folder, "root")
  const copy = (file: string, to: string = file): void => {
    fs.mkdirSync(path.dirname(root + to), { recursive: true })
    // What is there may be a link, and that lead out of the image.
    fs.rmSync(root + to, { recursive: true, force: true })
    fs.cpSync(fs.realpathSync(file), root + to, { recursive: true, dereference: true })
  }
  for (const name of ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64"]) {
    fs.mkdirSync(`${root}/${name}`, { recursive: true })
    fs.symlinkSync(name, `${root}/${path.basename(name)}`)
  }
  furnish?.(root)
  for (const name of ["dev", "proc", "sys", "tmp", "run", "mnt", "root", "etc", "var"]) {
    fs.mkdirSync(`${root}/${name}`, { recursive: true })
  }

  const found = programs.flatMap((program) => lookUp(program) ?? [])
  for (const file of found) copy(file)
  copy(process.execPath, "/usr/bin/node")
  for (const file of new Set([process.execPath, ...found].flatMap(librariesOf))) copy(file)
  copy(perlFolder())
  for (const file of ["/etc/passwd", "/etc/group"]) copy(file)
  if (furnish === undefined) copy(path.join(import.meta.dirname, "init"), "/init")

  for (const name of ["dist", "test/fixtures"]) copy(path.join(project, name), `/tenement/${name}`)
  const outfile = `${root}/tenement/test/acceptance/tests.mjs`
  await bundle(tests, outfile)

  const image = {
    archive: path.join(folder, "image.cpio"),
    sourceMap: path.join(folder, "tests.mjs.map"),
    bundledIn: path.dirname(outfile)
  }
  fs.renameSync(`${outfile}.map`, image.sourceMap)
  execFileSync("sh", ["-c", `find . | cpio --create --format=newc --quiet --file="$1"`, "sh", image.archive], {
    cwd: root
  })
  fs.rmSync(root, { recursive: true })
  return image
}
