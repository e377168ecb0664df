import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { unlimited } from "../../src/domain/Config.ts"
import { InstanceName } from "../../src/domain/Names.ts"
import { unless } from "../../src/internal/errno.ts"
import type { Cgroup } from "../../src/layers/Cgroup.ts"
import * as Cgroups from "../../src/layers/Cgroups.ts"
import * as Procfs from "../../src/layers/internal/procfs.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import * as LauncherExec from "../../src/layers/LauncherExec.ts"
import * as CgroupHarness from "./CgroupHarness.ts"
import { eventually, folder, instance, isRoot, sharing, silent } from "./Harness.ts"

const commandLine = (pid: number): string =>
  (unless(["ENOENT", "ESRCH"], () => Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "").replaceAll("\0", " ")

/** Those that wait, of all that this process has started. */
const waiting = (): ReadonlyArray<number> =>
  Fs.readdirSync("/proc/self/task").flatMap((task) =>
    (unless(["ENOENT"], () => Fs.readFileSync(`/proc/self/task/${task}/children`, "utf8")) ?? "").split(" ")
  ).filter((word) => word !== "").map(Number).filter((pid) => commandLine(pid).startsWith("sh -s # tenement: ready"))

/** What a program finds, in one line. */
const program = String.raw`
  use Cwd; $| = 1; my @s = do { open my $f, "<", "/proc/self/stat"; local $/; split " ", <$f> };
  my %is = map { $_ => readlink "/proc/$$/fd/$_" } grep { -l "/proc/$$/fd/$_" } 0 .. 60;
  my @flags = map { open my $f, "<", "/proc/$$/fdinfo/$_"; (grep /^flags/, <$f>)[0] =~ /(\d+)/ ? $1 : "" } 0 .. 2;
  my @known = (join("|", map { "$_=$ENV{$_}" } sort keys %ENV), getcwd(), umask, join("|", @ARGV),
    join("|", map { "$_=$is{$_}" } sort keys %is), "@flags", $s[5] == $$, $s[4] == $$, $< . "," . $( . "," . $0,
    (grep /^(Max open|NoNewPrivs)/, map { open my $f, "<", $_; <$f> } "/proc/self/limits", "/proc/self/status"));
  print unpack("H*", join "\0", @known), "\n"; sleep 600;
`

const fifo = Effect.gen(function*() {
  const path = Path.join(yield* folder, "fifo")
  yield* LauncherExec.exec("mkfifo", "-m", "622", path)
  return yield* Effect.acquireRelease(
    Effect.sync(() => Fs.openSync(path, Fs.constants.O_RDWR | Fs.constants.O_NONBLOCK)),
    (fd) => Effect.sync(() => Fs.closeSync(fd))
  )
})

const lineFrom = (fd: number) => {
  const buffer = Buffer.alloc(65536)
  let line = ""
  return eventually(() => {
    line += buffer.toString("latin1", 0, unless(["EAGAIN"], () => Fs.readSync(fd, buffer)) ?? 0)
    return line.endsWith("\n") && Buffer.from(line.trim(), "hex").toString("utf8").split("\0")
  })
}

const word = FC.oneof(
  FC.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
  FC.constantFrom("", "'", "$(id)", "-n", "\\\\'", "a\nb", "\u0081\u0088")
)
const variables = FC.dictionary(FC.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/), word, { maxKeys: 8 })
/** A shell, the loader or `setpriv` would do something with these. */
const special = FC.constantFrom({}, { IFS: "/" }, { PWD: "/", OLDPWD: "x" }, { LD_LIBRARY_PATH: "/" }, { PS4: "$(id)" })

let count = 0

const noCgroup: Cgroup = {
  procs: [],
  isPopulated: Effect.succeed(false),
  members: Effect.succeed([]),
  kill: Effect.void,
  limits: () => unlimited,
  limit: () => Effect.void,
  usage: Effect.succeed({ memoryBytes: null, cpuSeconds: null }),
  oomKills: Effect.succeed(0)
}

for (const mode of ["none", ...CgroupHarness.modes] as const) {
  const cgroups = mode === "none" ? Cgroups.none : CgroupHarness.layerOf(mode)
  sharing(
    `LauncherShell, by ${mode === "none" ? "sessions" : `cgroups, ${mode}`}`,
    Layer.merge(Launcher.layer, cgroups),
    (scoped) => {
      const cgroup = Effect.flatMap(
        Cgroups.Cgroups,
        ({ make }) => Effect.orDie(make({ instance: InstanceName.make(`shell:n${++count}`), beside: null }, unlimited))
      )

      /** A shell that waits, and what the launch it is for has of it. */
      const prepared = Effect.gen(function*() {
        const { prepare } = yield* Launcher.Launcher
        const before = new Set(waiting())
        const joined = yield* cgroup
        const prepared = yield* prepare?.(instance, joined) ?? Effect.succeed(null)
        const [pid = 0, ...others] = waiting().filter((pid) => !before.has(pid))
        assert.deepStrictEqual(others, [])
        assert.isNotNull(prepared)
        if (joined !== null) assert.deepStrictEqual(yield* joined.members, [pid])
        return { pid, spec: { cgroup: joined, prepared } }
      })

      /** What a program finds that is started. */
      const found = (out: number, rest: Partial<Launcher.LaunchSpec>) =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const process = yield* launch({ ...(yield* silent([])), stdout: out, stderr: out, ...rest })
          assert.strictEqual(Procfs.stat(process.pid)?.startTime, process.startTime)
          const seen = yield* lineFrom(out)
          yield* process.killTree
          return { pid: process.pid, seen }
        })

      scoped("a program finds what it would find if a shell had been started for it", () =>
        Effect.gen(function*() {
          const out = yield* fifo
          const cwd = Path.join(yield* folder, "it's \"here\"")
          Fs.mkdirSync(cwd, { mode: 0o755 })
          Fs.chmodSync(Path.dirname(cwd), 0o755)
          const user = FC.constantFrom(...(isRoot ? [null, "nobody"] : [null]))
          const specs = FC.record({ words: FC.array(word, { maxLength: 5 }), special, user, variables })
          for (const { special, user, variables, words } of FC.sample(specs, 10)) {
            const spec = {
              argv: ["/usr/bin/perl", "-e", program, "--", ...words],
              env: { ...variables, ...special },
              cwd,
              user
            }
            yield* Effect.scoped(Effect.gen(function*() {
              const ready = yield* prepared
              const waited = yield* found(out, { ...spec, ...ready.spec })
              const started = yield* found(out, { ...spec, cgroup: yield* cgroup })
              assert.strictEqual(waited.pid, ready.pid)
              assert.deepStrictEqual(waited.seen, started.seen)
            }))
          }
        }))

      scoped("the tree of what it has become is the command's", () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const out = yield* fifo
          const ready = yield* prepared
          const child = yield* launch({
            ...(yield* silent(["sh", "-c", "sleep 600 & exit 3"])),
            stdout: out,
            stderr: out,
            ...ready.spec
          })
          assert.strictEqual(child.pid, ready.pid)
          assert.deepStrictEqual(yield* child.exited, { code: 3, signal: null })
          assert.isTrue(yield* child.hasStragglers)
          yield* child.killTree
          assert.isFalse(yield* child.hasStragglers)
        }))

      scoped("what it cannot become is started by a shell of its own", () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const out = yield* fifo
          const listener = Fs.openSync("/dev/null", "r")
          yield* Effect.addFinalizer(() => Effect.sync(() => Fs.closeSync(listener)))
          const plain = { ...(yield* silent(["sleep", "600"])), stdout: out, stderr: out }
          const others = [
            yield* silent(["sleep", "600"]),
            { ...plain, listener },
            { ...plain, env: { ...plain.env, LONG: "x".repeat(100_000) } },
            { ...plain, env: { ...plain.env, "odd name": "" } }
          ]
          for (const spec of others) {
            const ready = yield* prepared
            const { exited, killTree, pid } = yield* launch({ ...spec, ...ready.spec })
            assert.notStrictEqual(pid, ready.pid)
            // It would be taken for something that the command has left behind.
            yield* eventually(() => Procfs.stat(ready.pid) === undefined)
            yield* killTree
            yield* exited
          }
          const ready = yield* prepared
          assert.strictEqual((yield* launch({ ...plain, ...ready.spec })).pid, ready.pid)
          assert.notStrictEqual((yield* launch({ ...plain, ...ready.spec })).pid, ready.pid)
        }))

      scoped(
        "says what went wrong on the way, and executes nothing before it is written down",
        () =>
          Effect.gen(function*() {
            const { launch } = yield* Launcher.Launcher
            const file = Path.join(yield* folder, "program")
            const out = yield* fifo
            Fs.writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 })
            const ready = yield* prepared
            const error = yield* Effect.flip(launch({
              ...(yield* silent([file])),
              stdout: out,
              stderr: out,
              ...ready.spec,
              announce: ({ pid }) =>
                Effect.sync(() => {
                  assert.strictEqual(pid, ready.pid)
                  Fs.rmSync(file)
                })
            }))
            assert.strictEqual(error.code, "ENOENT")
          })
      )

      scoped("one that somebody killed is missed by nobody", () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const out = yield* fifo
          const ready = yield* prepared
          process.kill(ready.pid, "SIGKILL")
          yield* eventually(() => Procfs.stat(ready.pid) === undefined)
          // The same turn that buries it tells the launcher.
          yield* Effect.sleep(0)
          const spec = { ...(yield* silent(["sleep", "600"])), stdout: out, stderr: out, ...ready.spec }
          assert.notStrictEqual((yield* launch(spec)).pid, ready.pid)
        }))

      scoped("is done without where it does not get ready", () =>
        Effect.gen(function*() {
          const { prepare } = yield* Launcher.Launcher
          const file = Path.join(yield* folder, "fifo")
          yield* LauncherExec.exec("mkfifo", file)
          // It waits for a reader, as it would in a cgroup that is frozen; and nobody can interrupt who asks.
          const asked = prepare?.(instance, { ...noCgroup, procs: [file] }) ?? Effect.succeed(null)
          assert.isNull(yield* Effect.uninterruptible(asked))
        }))

      scoped(
        "ends with its scope, and those that have waited longest when there are too many",
        () =>
          Effect.gen(function*() {
            const before = waiting().length
            yield* Effect.scoped(Effect.gen(function*() {
              const [first, second, ...rest] = yield* Effect.replicateEffect(prepared, 34)
              yield* eventually(() => ![first?.pid, second?.pid].some((pid) => waiting().includes(pid ?? 0)))
              assert.isTrue(rest.every(({ pid }) => waiting().includes(pid ?? 0)))
            }))
            assert.strictEqual(waiting().length, before)
          })
      )
    }
  )
}
