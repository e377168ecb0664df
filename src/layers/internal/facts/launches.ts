/** @internal */
import * as Either from "effect/Either"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { ServiceConfig, Settings } from "../../../domain/Config.ts"
import { type Fact, lacks, risks } from "../../../domain/HostFacts.ts"
import { defaultId, instanceName } from "../../../domain/Names.ts"
import * as Places from "../../../domain/Places.ts"
import * as Template from "../../../domain/Template.ts"
import { unless } from "../../../internal/errno.ts"
import * as Folder from "../../../internal/folder.ts"
import { systemPath } from "../../../internal/systemPath.ts"
import * as Passage from "../../Passage.ts"
import * as Command from "../command.ts"
import type { Problem } from "../executable.ts"
import * as Enclosure from "../isolation/enclosure.ts"
import * as PrivatePath from "../privatePath.ts"
import * as PublicPath from "../publicPath.ts"
import * as Folders from "./folders.ts"

/** The key of the file that has to do with it, and what is in the way. */
export type Obstacle = readonly [about: string, fact: Fact]

/** What is made at the first start is not missed before. */
const isMadeLater = (settings: Settings, cwd: string): boolean =>
  [settings.dataDir, settings.runDir].some((folder) => `${cwd}/`.startsWith(`${folder}/`)) && !Fs.existsSync(cwd)

const refused = ({ advice, code, what }: Problem): Fact => lacks(`${what} (${code})`, advice)

const program = (settings: Settings, config: ServiceConfig): ReadonlyArray<Obstacle> => {
  const id = config.instances[0] ?? defaultId
  const instance = instanceName(config.name, id)
  const words = {
    ...Places.wordsOf(settings, config.name, id),
    socket: PrivatePath.of(PrivatePath.rootOf(settings), instance, 1),
    port: String(config.port)
  }
  const cwd = Path.resolve(Template.expand(config.cwd, words))
  if (isMadeLater(settings, cwd)) return []
  const { PATH = config.secrets["PATH"] ?? process.env["PATH"] ?? systemPath } = config.env
  const spec = {
    instance,
    incarnation: 1,
    argv: config.argv.map((word) => Template.expand(word, words)),
    cwd,
    env: { PATH: Template.expand(PATH, words) },
    user: config.user,
    group: config.group,
    stdout: 1,
    stderr: 2
  }
  const found = Command.program(spec)
  if ("what" in found) return [["command", refused(found)]]
  if (config.isolation === "process") return []
  const view = Enclosure.viewOf(settings, config, spec, { privatePath: words.socket }, found)
  return Either.isLeft(view) ? [["isolation", lacks(view.left.missing, view.left.advice)]] : []
}

/** Shut in, root still reads what belongs to root and is not hidden. gVisor's root is nobody to the host. */
const asRoot = ({ group, isolation, sandboxRuntime, user }: ServiceConfig): ReadonlyArray<Obstacle> =>
  process.geteuid?.() !== 0 || user !== null || group !== null || isolation === "process" ||
    isolation === "sandbox" && sandboxRuntime === "gvisor"
    ? []
    : [[
      "user",
      risks(
        "it is isolated, and runs as root: without any capability, but with the files of root",
        "give it a `user` in the file"
      )
    ]]

const account = (settings: Settings, config: ServiceConfig): ReadonlyArray<Obstacle> => {
  const identity = Command.identity(config)
  if (identity !== null && "what" in identity) return [["user", refused(identity)]]
  const doubts = Passage.doubts(settings, config).map(({ advice, what }): Obstacle => ["user", risks(what, advice)])
  if (identity === null) return [...doubts, ...asRoot(config)]
  const given = [
    ["data_dir", `${settings.dataDir}/${config.name}`],
    ["run_dir", PrivatePath.rootOf(settings)]
  ] as const
  return [
    ...doubts,
    ...given.flatMap(([key, folder]): ReadonlyArray<Obstacle> => {
      const open = Folder.exposed(folder)
      return open === undefined
        ? []
        : [[
          key,
          lacks(
            `others than root may change what is in ${open}: nothing there is given to a user`,
            `chown root ${open} && chmod go-w ${open}`
          )
        ]]
    })
  ]
}

const socket = (settings: Settings, config: ServiceConfig): ReadonlyArray<Obstacle> =>
  config.instances.flatMap((id) => {
    const path = Path.resolve(Places.publicSocket(settings, config, id))
    const folder = Path.dirname(path)
    const fact = folder === settings.runDir ? undefined : Folders.look(folder, "socket")
    if (fact?._tag === "Lacks") return [["socket", fact] as const]
    const found = unless(["EACCES", "ENOTDIR"], () => PublicPath.look(path))
    return found?._tag === "Other"
      ? [
        [
          "socket",
          lacks(`there is ${found.what} at ${path}`, "set another socket, or move away what is there")
        ] as const
      ]
      : []
  })

/** What a start of its instances would meet. */
export const obstacles = (settings: Settings, config: ServiceConfig): ReadonlyArray<Obstacle> => [
  ...program(settings, config),
  ...account(settings, config),
  ...socket(settings, config)
]
