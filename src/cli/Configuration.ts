/**
 * The file that the words, or the environment, name.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Session } from "./Session.ts"

const named = (text: string | undefined): string | undefined => text === "" ? undefined : text

/**
 * What a person named: the file, and the control socket, which counts more than the file's.
 *
 * @since 0.1.0
 * @category constructors
 */
export const choice = Effect.map(Session, ({ globals }) => ({
  config: globals.config ?? named(process.env["TENEMENT_CONFIG"]),
  socket: globals.socket ?? named(process.env["TENEMENT_SOCKET"])
}))

// Only a few commands read the file; the others need not wait for what it takes.
const rooms = Effect.promise(() =>
  Promise.all([
    import("../config/Find.ts"),
    import("../config/Load.ts"),
    import("@effect/platform-node-shared/NodeFileSystem")
  ])
)

/**
 * A way to read this file, now and later.
 *
 * @since 0.1.0
 * @category constructors
 */
export const reading = Effect.fnUntraced(function*(file: string) {
  const { socket } = yield* choice
  const [, Load, NodeFileSystem] = yield* rooms
  return Effect.provide(Load.load(file, { socket }), NodeFileSystem.layer)
})

/**
 * The file that would be read. It is not looked into.
 *
 * @since 0.1.0
 * @category constructors
 */
export const whereabouts = Effect.gen(function*() {
  const { config } = yield* choice
  const [Find, , NodeFileSystem] = yield* rooms
  return yield* Effect.provide(Find.find(config), NodeFileSystem.layer)
})

/**
 * The configuration, read and checked.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load = Effect.flatMap(whereabouts, (file) => Effect.flatten(reading(file)))
