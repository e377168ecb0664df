import { afterAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { InstanceName } from "../../src/domain/Names.ts"
import type { LaunchSpec } from "../../src/layers/Launcher.ts"

/** A folder of the test's own, gone with the scope. Short: socket paths have to fit into 107 bytes. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "tnt-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

export const instance = InstanceName.make("api:default")

/** A spec that runs `argv` and writes what it prints to `out`. */
export const printing = (out: string, argv: ReadonlyArray<string>, rest: Partial<LaunchSpec> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => Fs.openSync(out, "a")),
    (fd) => Effect.sync(() => Fs.closeSync(fd))
  ).pipe(Effect.map((fd): LaunchSpec => ({
    instance,
    incarnation: 1,
    argv,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    user: null,
    group: null,
    stdout: fd,
    stderr: fd,
    ...rest
  })))

/** A spec of which nobody reads what it prints. */
export const silent = (argv: ReadonlyArray<string>, rest: Partial<LaunchSpec> = {}) => printing("/dev/null", argv, rest)

/** Looks again and again until `look` gives something; the test's own timeout is the deadline. */
export const eventually = <A>(look: () => A | undefined | false): Effect.Effect<A> =>
  Effect.suspend(() => {
    const seen = look()
    return seen === undefined || seen === false
      ? Effect.zipRight(Effect.sleep("10 millis"), eventually(look))
      : Effect.succeed(seen)
  })

/** What a file holds, once it holds `lines` whole lines. */
export const linesOf = (path: string, lines: number): Effect.Effect<ReadonlyArray<string>> =>
  eventually(() => {
    const text = Fs.existsSync(path) ? Fs.readFileSync(path, "utf8") : ""
    const found = text.split("\n").slice(0, -1)
    return found.length >= lines && found
  })

/** Tests that need another user are for root; whoever runs all of them says `CI=true` and cannot miss one. */
export const isRoot = process.getuid?.() === 0 || process.env["CI"] === "true"

type Test<R> = <A, E>(name: string, self: () => Effect.Effect<A, E, R | Scope.Scope>) => void

/** Tests that share a layer, on the real clock. `layer` of @effect/vitest would change `it` for all files of a process. */
export const sharing = <R, E>(
  name: string,
  layer: Layer.Layer<R, E>,
  tests: (scoped: Test<R> & { readonly skipIf: (isSkipped: boolean) => Test<R> }) => void
): void => {
  describe(name, () => {
    const runtime = ManagedRuntime.make(layer)
    afterAll(() => runtime.dispose())
    const skipIf = (isSkipped: boolean): Test<R> => (name, self) =>
      it.scopedLive.skipIf(isSkipped)(name, () => Effect.provide(self(), runtime))
    tests(Object.assign(skipIf(false), { skipIf }))
  })
}
