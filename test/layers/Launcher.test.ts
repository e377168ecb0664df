import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Esbuild from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { unless } from "../../src/internal/errno.ts"
import * as Procfs from "../../src/layers/internal/procfs.ts"
import * as Launcher from "../../src/layers/Launcher.ts"
import * as CgroupHarness from "./CgroupHarness.ts"
import { eventually, folder, isRoot, linesOf, printing, sharing, silent } from "./Harness.ts"

const perl = (program: string, ...args: ReadonlyArray<string>) => ["perl", "-e", program, ...args]

/** Processes of others come and go. */
const cmdline = (pid: number): string =>
  unless(["ENOENT", "ESRCH"], () => Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? ""

const isLive = (pid: number): boolean => {
  const found = Procfs.stat(pid)
  return found !== undefined && Procfs.isLive(found)
}

const launchers: ReadonlyArray<readonly [string, Layer.Layer<Launcher.Launcher>]> = [
  ["sessions", Launcher.layer],
  ...CgroupHarness.modes.map((mode) =>
    [`cgroups, ${mode}`, Layer.provide(CgroupHarness.launching, CgroupHarness.layerOf(mode))] as const
  )
]

for (const [by, launcher] of launchers) {
  sharing(`Launcher, by ${by}`, launcher, (scoped) => {
    scoped("sees every exit code and signal", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        for (const code of [0, 1, 3, 127, 255]) {
          const process = yield* launch(yield* silent(["sh", "-c", `exit ${code}`]))
          assert.deepStrictEqual(yield* process.exited, { code, signal: null })
          assert.deepStrictEqual(yield* process.exited, { code, signal: null })
        }
        for (const signal of ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGUSR1"] as const) {
          const process = yield* launch(yield* silent(["sleep", "60"]))
          yield* process.signal(signal)
          assert.deepStrictEqual(yield* process.exited, { code: null, signal })
          yield* process.signal(signal)
        }
      }))

    scoped(
      "leads a session of its own, in its folder, with exactly its environment, umask and descriptors",
      () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const dir = yield* folder
          const out = Path.join(dir, "out")
          const umask = yield* Effect.acquireRelease(
            Effect.sync(() => process.umask(0o022)),
            (before) => Effect.sync(() => process.umask(before))
          )
          assert.isNumber(umask)
          const env = { PATH: "/usr/bin:/bin", EMPTY: "", "odd name": "a\nb", UTF: "grüße" }
          const child = yield* launch(
            yield* printing(
              out,
              perl(
                `
              use Cwd; $| = 1;
              print join("|", map { my $v = $ENV{$_}; $v =~ s/\\n/+/g; "$_=$v" } sort keys %ENV), "\\n";
              print getcwd(), "\\n", umask, "\\n", join("|", @ARGV), "\\n";
              print join(" ", sort map { readlink("/proc/$$/fd/$_") } grep { -l "/proc/$$/fd/$_" } 0..50), "\\n";
              sleep 600;
            `,
                "",
                "two words",
                "$HOME"
              ),
              { cwd: dir, env }
            )
          )
          const stat = Procfs.stat(child.pid)
          assert.strictEqual(stat?.session, child.pid)
          assert.strictEqual(stat?.group, child.pid)
          assert.strictEqual(stat?.startTime, child.startTime)
          const [environment, cwd, mask, args, files] = yield* linesOf(out, 5)
          yield* child.killTree
          assert.strictEqual(environment, "EMPTY=|PATH=/usr/bin:/bin|UTF=grüße|odd name=a+b")
          assert.strictEqual(cwd, Fs.realpathSync(dir))
          assert.strictEqual(Number(mask), 0o022)
          assert.strictEqual(args, "|two words|$HOME")
          assert.strictEqual(files, `/dev/null ${out} ${out}`)
        })
    )

    scoped("finds commands in the folder and in the given PATH, not in the supervisor's", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const dir = yield* folder
        Fs.mkdirSync(Path.join(dir, "bin"))
        Fs.writeFileSync(Path.join(dir, "bin/tool"), "#!/bin/sh\nexit 7\n", { mode: 0o755 })
        for (
          const [word, PATH] of [["./bin/tool", ""], ["bin/tool", "/bin"], ["tool", `/nowhere:${dir}/bin`]] as const
        ) {
          const process = yield* launch(yield* silent([word], { cwd: dir, env: { PATH } }))
          assert.deepStrictEqual(yield* process.exited, { code: 7, signal: null })
        }
        const error = yield* Effect.flip(launch(yield* silent(["tool"], { cwd: dir, env: { PATH: "/bin" } })))
        assert.strictEqual(error.code, "ENOENT")
      }))

    scoped("says what is wrong with a command, a folder, a user", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const dir = yield* folder
        const file = (name: string, content: string, mode = 0o755) => {
          Fs.writeFileSync(Path.join(dir, name), content, { mode })
          return `./${name}`
        }
        Fs.symlinkSync("loop", Path.join(dir, "loop"))
        const cases: ReadonlyArray<readonly [string, RegExp, ReadonlyArray<string>, Partial<Launcher.LaunchSpec>?]> = [
          ["ENOENT", /command \.\/missing/, ["./missing"]],
          ["ENOENT", /command no-such-tool/, ["no-such-tool", "--password=hunter2"]],
          ["ENOENT", /command/, [""]],
          ["EACCES", /chmod \+x/, [file("plain", "#!/bin/sh\n", 0o644)]],
          ["EACCES", /folder/, ["./."]],
          ["ENOTDIR", /command/, ["./plain/tool"]],
          ["ELOOP", /command/, ["./loop"]],
          ["ENOEXEC", /#!\/bin\/sh/, [file("text", "echo hello\n")]],
          ["ENOEXEC", /neither/, [file("empty", "")]],
          ["ENOEXEC", /interpreter/, [file("nobody", "#!\n")]],
          ["ENOENT", /interpreter \/no\/such/, [file("shebang", "#!/no/such -x\n")]],
          ["ENOENT", /working folder/, ["true"], { cwd: `${dir}/gone` }],
          ["ENOTDIR", /working folder/, ["true"], { cwd: `${dir}/plain` }],
          ["EINVAL", /NUL/, ["true", "a\0b"]],
          ["EINVAL", /NUL/, ["true"], { env: { A: "\0" } }],
          ["E2BIG", /too long/, ["true", "x".repeat(3_000_000)]],
          ["ENOENT", /user no-such-user/, ["true"], { user: "no-such-user" }],
          ["ENOENT", /group no-such-group/, ["true"], { group: "no-such-group" }]
        ]
        for (const [code, message, argv, rest] of cases) {
          const error = yield* Effect.flip(launch(yield* silent(argv, { cwd: dir, ...rest })))
          assert.strictEqual(error.code, code, error.message)
          assert.match(error.message, message)
          assert.match(error.message, /^api:default could not be started: /)
          assert.notMatch(error.message, /hunter2/)
        }
      }))

    scoped("any words reach the program as they are", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const out = Path.join(yield* folder, "out")
        const words = FC.sample(FC.string({ unit: "grapheme", maxLength: 20 }).map((s) => s.replaceAll("\0", "")), 50)
        yield* (yield* launch(yield* printing(out, perl("print unpack('H*', $_), qq(\\n) for @ARGV", "--", ...words))))
          .exited
        const seen = (yield* linesOf(out, words.length)).map((hex) => Buffer.from(hex, "hex").toString("utf8"))
        assert.deepStrictEqual(seen, words.map((word) => Buffer.from(word).toString("utf8")))
      }))

    scoped("nothing is executed before the process was announced", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const dir = yield* folder
        const made = Path.join(dir, "made")
        let announced: unknown
        const child = yield* launch({
          ...(yield* silent(["touch", made])),
          announce: ({ pid, startTime }) =>
            Effect.sync(() => {
              announced = { pid, startTime }
              assert.isFalse(Fs.existsSync(made))
            }).pipe(Effect.delay("100 millis"))
        })
        assert.deepStrictEqual(announced, { pid: child.pid, startTime: child.startTime })
        assert.deepStrictEqual(yield* child.exited, { code: 0, signal: null })
        assert.isTrue(Fs.existsSync(made))
      }))

    scoped("an interrupted launch leaves no process, 100 times", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const marker = `600.${process.pid}`
        const spec = yield* silent(["sleep", marker])
        yield* Effect.forEach(Array.from({ length: 100 }, (_, i) => i), (i) =>
          Effect.gen(function*() {
            const fiber = yield* Effect.fork(Effect.scoped(Effect.zipRight(launch(spec), Effect.never)))
            // Some never begin, some are in the middle, some have ended theirs.
            for (let n = 0; n < i % 4; n++) yield* Effect.yieldNow()
            yield* Fiber.interrupt(fiber)
          }), { concurrency: 10 })
        // One that was killed may have something of the kernel's to end first.
        yield* eventually(() =>
          !Procfs.all().some((found) => Procfs.isLive(found) && cmdline(found.pid).includes(marker))
        )
      }))

    scoped(
      "killTree ends what ignores TERM, what it forked, and what made itself a group",
      () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const out = Path.join(yield* folder, "out")
          const process = yield* launch(
            yield* printing(
              out,
              perl(`
              $| = 1; $SIG{TERM} = "IGNORE";
              for (1 .. 3) { next if fork; setpgrp if $_ == 2; fork; print "$$\\n"; sleep 600; exit }
              print "$$\\n"; sleep 600
            `)
            )
          )
          const pids = (yield* linesOf(out, 7)).map(Number)
          assert.isTrue(yield* process.hasStragglers)
          yield* process.signal("SIGTERM")
          yield* process.killTree
          assert.deepStrictEqual(pids.filter(isLive), [])
          assert.deepStrictEqual(yield* process.exited, { code: null, signal: "SIGKILL" })
          assert.isFalse(yield* process.hasStragglers)
          yield* process.killTree
        })
    )

    scoped("sees and ends what its leader leaves behind", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const out = Path.join(yield* folder, "out")
        // `timeout` puts itself into a process group of its own.
        const process = yield* launch(
          yield* printing(out, ["sh", "-c", "sleep 600 & echo $!; timeout 600 sleep 600 & echo $!; exit 4"])
        )
        assert.deepStrictEqual(yield* process.exited, { code: 4, signal: null })
        assert.isTrue(yield* process.hasStragglers)
        yield* process.killTree
        const pids = (yield* linesOf(out, 2)).map(Number)
        assert.deepStrictEqual(pids.filter(isLive), [])
        assert.isFalse(yield* process.hasStragglers)
      }))

    scoped("asks what its leader leaves behind to end, and waits until it has", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const out = Path.join(yield* folder, "out")
        const process = yield* launch(
          yield* printing(out, [
            "sh",
            "-c",
            `perl -e '$SIG{TERM} = sub { select undef, undef, undef, 0.2; print "done\\n"; exit }; $| = 1; print "$$\\n"; sleep 600' & wait`
          ])
        )
        const [pid] = yield* linesOf(out, 1)
        yield* process.signal("SIGTERM")
        yield* process.exited
        assert.isTrue(isLive(Number(pid)))
        yield* process.signalTree("SIGTERM")
        yield* process.treeGone
        assert.isFalse(isLive(Number(pid)))
        assert.deepStrictEqual((yield* linesOf(out, 2))[1], "done")
      }))

    scoped("the scope owns the tree, also when its fiber is interrupted", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const out = Path.join(yield* folder, "out")
        const spec = yield* printing(out, ["sh", "-c", "trap '' TERM; sleep 600 & echo $$ $!; wait"])
        const launched = yield* Deferred.make<void>()
        const fiber = yield* launch(spec).pipe(
          Effect.zipRight(Deferred.succeed(launched, undefined)),
          Effect.zipRight(Effect.never),
          Effect.scoped,
          Effect.fork
        )
        yield* Deferred.await(launched)
        const [line] = yield* linesOf(out, 1)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(line!.split(" ").map(Number).filter(isLive), [])
      }))

    scoped("many end together, and each one's end is seen", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const spec = yield* silent(["sleep", "600"])
        const processes = yield* Effect.forEach(Array.from({ length: 50 }), () => launch(spec))
        yield* Effect.forEach(processes, (process) => process.killTree, { concurrency: 50 })
        assert.deepStrictEqual(processes.filter(({ pid }) => isLive(pid)), [])
      }))

    scoped("is not confused by a program's name", () =>
      Effect.gen(function*() {
        const { launch } = yield* Launcher.Launcher
        const dir = yield* folder
        const name = ") S 1 (2"
        Fs.symlinkSync("/bin/sleep", Path.join(dir, name))
        const child = yield* launch(yield* silent([`./${name}`, "600"], { cwd: dir }))
        assert.strictEqual(Procfs.stat(child.pid)?.session, child.pid)
        yield* child.killTree
        assert.isFalse(isLive(child.pid))
      }))

    // Root may, so there is nothing to refuse.
    if (!isRoot) {
      scoped("only root may run as somebody else", () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const error = yield* Effect.flip(launch(yield* silent(["true"], { user: "root" })))
          assert.strictEqual(error.code, "EPERM")
        }))
    }

    scoped.skipIf(!isRoot)(
      "runs as a user with the groups that are the user's, and nobody else's",
      () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const out = Path.join(yield* folder, "out")
          const members = Fs.readFileSync("/etc/group", "utf8").split("\n").map((line) => line.split(":"))
          const report = perl(`
          $| = 1; my %groups = map { $_ => 1 } split / /, $);
          print join(" ", $<, $>, $( + 0, join(",", sort { $a <=> $b } keys %groups)), "\\n";
          print exists $ENV{LD_BIND_NOW} ? "loader variable\\n" : "none\\n";
          open my $s, "<", "/proc/self/status"; print grep { /^CapEff/ } <$s>;
        `)
          const run = (rest: Partial<Launcher.LaunchSpec>) =>
            Effect.gen(function*() {
              Fs.rmSync(out, { force: true })
              const env = { PATH: "/usr/bin:/bin", LD_BIND_NOW: "1" }
              const process = yield* launch(yield* printing(out, report, { env, ...rest }))
              assert.deepStrictEqual(yield* process.exited, { code: 0, signal: null })
              return yield* linesOf(out, 3)
            })
          const passwd = Fs.readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"))
          const [, , uid, gid] = passwd.find(([name]) => name === "nobody")!
          const expected = [
            Number(gid),
            ...members.filter(([, , , names]) => names?.split(",").includes("nobody")).map(([, , id]) => Number(id))
          ].sort((a, b) => a - b)
          const asNobody = yield* run({ user: "nobody" })
          assert.strictEqual(asNobody[0], `${uid} ${uid} ${gid} ${[...new Set(expected)].join(",")}`)
          assert.strictEqual(asNobody[1], "loader variable")
          assert.match(asNobody[2]!, /CapEff:\s*0+$/)
          assert.strictEqual((yield* run({ user: uid! }))[0], asNobody[0])
          const daemon = members.find(([name]) => name === "daemon")![2]
          assert.match((yield* run({ user: "nobody", group: "daemon" }))[0]!, new RegExp(`^${uid} ${uid} ${daemon} `))
          assert.strictEqual((yield* run({ user: "4242" }))[0], "4242 4242 4242 4242")
        })
    )

    scoped(
      "descriptors that the supervisor inherited are closed before a service could get them",
      () =>
        Effect.gen(function*() {
          const { launch } = yield* Launcher.Launcher
          const dir = yield* folder
          const script = Path.join(dir, "supervisor.mjs")
          yield* Effect.promise(() =>
            Esbuild.build({
              entryPoints: ["test/fixtures/inherited.ts"],
              outfile: script,
              bundle: true,
              platform: "node",
              format: "esm",
              logLevel: "error"
            })
          )
          const descriptors = (word: string) =>
            Effect.gen(function*() {
              const out = Path.join(dir, word)
              const shell = [
                "bash",
                "-c",
                `exec 9>/dev/null 40</etc/passwd "$@"`,
                "bash",
                process.execPath,
                script,
                word
              ]
              const supervisor = yield* launch(yield* printing(out, shell, { env: { PATH: process.env["PATH"]! } }))
              assert.deepStrictEqual(yield* supervisor.exited, { code: 0, signal: null })
              return (yield* linesOf(out, 1))[0]
            })
          // Node sees to the first 16 itself.
          assert.strictEqual(yield* descriptors("open"), "0 1 2 40")
          assert.strictEqual(yield* descriptors("close"), "0 1 2")
        })
    )
  })
}
