import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Fx from "./Fx.ts"
import { make } from "./Machine.ts"
import * as Site from "./Site.ts"

interface Finding {
  readonly level: "ok" | "warning" | "error"
  readonly about: string
  readonly what: string
  readonly services: ReadonlyArray<string>
  readonly mend: string | null
}

interface Report {
  readonly file: string | null
  readonly ok: boolean
  readonly findings: ReadonlyArray<Finding>
}

const isRoot = process.getuid?.() === 0

const examine = (site: Site.Site, options: Site.RunOptions = {}) =>
  Effect.map(site.cliWith(options, "doctor", "--json"), ({ code, stderr, stdout }) => {
    assert.include([0, 1], code, stderr)
    const report = JSON.parse(stdout) as Report
    assert.strictEqual(report.ok, code === 0)
    return report
  })

const errorsOf = ({ findings }: Report) =>
  findings.flatMap(({ about, level, services }) => level === "error" ? [[about, ...services]] : [])

const broken: Readonly<Record<string, Fx.Table>> = {
  missing: { command: "{data_dir}/../no-such-program" },
  "not-on-path": { command: "no-such-program-anywhere" },
  "not-executable": { command: "{data_dir}/../plain-file" },
  "no-interpreter": { command: "{data_dir}/../bad-shebang" },
  "not-a-program": { command: "{data_dir}/../truth" },
  "no-folder": { command: "sleep", args: ["60"], cwd: "{data_dir}/../no-such-folder" },
  "no-user": { command: "sleep", args: ["60"], user: "nobody-of-that-name" },
  "no-group": { command: "sleep", args: ["60"], group: "nobody-of-that-name" },
  "taken-socket": { command: "sleep", args: ["60"], socket: "{data_dir}/../{name}" },
  "socket-below-a-file": { command: "sleep", args: ["60"], socket: "{data_dir}/../plain-file/{name}.sock" }
}

const sound: Readonly<Record<string, Fx.Table>> = {
  plain: {},
  relative: { command: "./program", cwd: "{data_dir}/.." },
  within: { command: "sleep", args: ["60"], cwd: "{instance_dir}" },
  "own-path": { command: "program", env: { PATH: "{data_dir}/..:/usr/bin:/bin" } },
  "deep-socket": {
    command: "sleep",
    args: ["60"],
    socket: "{data_dir}/../deep/down/{name}.sock",
    readiness: "started"
  },
  ...(isRoot ? { other: { command: "sleep", args: ["60"], user: "65534" } } : {})
}

const scene = (root: string) => {
  fs.writeFileSync(`${root}/plain-file`, "#!/bin/sh\n", { mode: 0o644 })
  for (const level of ["process", "namespace"]) fs.writeFileSync(`${root}/taken-socket-${level}`, "")
  fs.writeFileSync(`${root}/bad-shebang`, "#!/no/such/interpreter\n", { mode: 0o755 })
  fs.writeFileSync(`${root}/program`, "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 })
}

/** Each of them at both levels. */
const tables = (all: Readonly<Record<string, Fx.Table>>): Readonly<Record<string, Fx.Table>> =>
  Object.fromEntries(
    ["process", "namespace"].flatMap((isolation) =>
      Object.entries(all).map(([name, table]) => [
        `${name}-${isolation}`,
        { ...Fx.service({}, ""), restart: "never", ...table, isolation }
      ])
    )
  )

describe("tenement doctor", () => {
  it.scopedLive("names those services that will not start, and no others", () =>
    Effect.gen(function*() {
      const services = { ...tables(broken), ...tables(sound) }
      const names = Object.keys(services)
      const hopeless = Object.keys(tables(broken))
      const site = yield* Site.make({ service: services })
      scene(site.root)
      const before = yield* examine(site)
      const named = new Set(before.findings.flatMap(({ level, services }) => level === "error" ? services : []))
      assert.sameMembers([...named], hopeless)
      assert.isFalse(fs.existsSync(site.dataDir), "nothing was made")
      for (const { level, mend } of before.findings) assert.strictEqual(mend === null, level === "ok")

      const checked = yield* site.cli("config", "check")
      assert.strictEqual(checked.code, 0)
      const concerns = before.findings.filter(({ level, services }) => level !== "ok" && services.length > 0)
      for (const [index, line] of checked.stderr.trimEnd().split("\n").entries()) {
        assert.match(line, /tenement\.toml:\d+: warning: here, for /)
        assert.include(line, concerns[index]?.what ?? "nothing")
      }
      const { warnings } = JSON.parse((yield* site.cli("config", "check", "--json")).stdout)
      assert.deepStrictEqual(warnings, concerns)

      const machine = yield* make({ service: services }, { before: scene })
      yield* Effect.forEach(
        names,
        (name) => machine.until(name, hopeless.includes(name) ? "failed" : "running"),
        { concurrency: 8, discard: true }
      )
      const after = yield* examine(machine)
      const still = new Set(after.findings.flatMap(({ level, services }) => level === "error" ? services : []))
      assert.sameMembers([...still], hopeless, "while they run it is as it was before")
    }))

  it.scopedLive("finds nothing wrong where nothing is", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({ service: { web: Fx.service({}, "") } })
      const { code, stdout } = yield* site.cli("doctor")
      assert.strictEqual(code, 0, stdout)
      assert.include(stdout, `${site.file}: this machine can run it`)
      const check = yield* site.cli("config", "check")
      assert.strictEqual(check.stderr, "")
    }))

  it.scopedLive("tells of the machine alone where there is no file, and of a wrong file by exit code 2", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({})
      const alone = yield* site.cliWith({ env: { TENEMENT_CONFIG: "" }, via: ["env", "-C", "/"] }, "doctor", "--json")
      assert.strictEqual(alone.code, 0, alone.stderr)
      assert.propertyVal(JSON.parse(alone.stdout), "file", null)
      yield* site.write({
        settings: { run_dir: `/tmp/${"x".repeat(100)}` },
        service: { web: Fx.service({}, "") }
      })
      const wrong = yield* site.cli("doctor")
      assert.strictEqual(wrong.code, 2)
      assert.match(wrong.stderr, /run_dir: .*bytes, allowed: at most/)
    }))

  it.scopedLive("sees how many files may be open", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({
        service: { web: Fx.service({}, ""), db: Fx.service({ instances: ["a", "b"] }, "") }
      })
      const low = yield* examine(site, { via: ["prlimit", "--nofile=75"] })
      assert.deepStrictEqual(errorsOf(low), [["open files", "web", "db"]])
      assert.match(low.findings.find(({ about }) => about === "open files")?.mend ?? "", /ulimit -n 76/)
      assert.deepStrictEqual(errorsOf(yield* examine(site, { via: ["prlimit", "--nofile=76"] })), [])
    }))

  it.scopedLive("sees a folder that is none, or that this user may not write", () =>
    Effect.gen(function*() {
      const site = yield* Site.make({
        settings: { run_dir: "/etc/tenement-services", data_dir: "/dev/null" },
        service: { web: Fx.service({}, "") }
      })
      const report = yield* examine(site, isRoot ? { user: 65534 } : {})
      assert.deepInclude(errorsOf(report), ["data_dir", "web"])
      assert.deepInclude(errorsOf(report), ["run_dir", "web"])
      assert.match(report.findings.find(({ about }) => about === "run_dir")?.mend ?? "", /^sudo install -d -o \d+ /)
    }))

  // What is taken away is so for the program alone, in a mount namespace of its own.
  const without = (tool: string) => [
    "unshare",
    "--mount",
    "sh",
    "-c",
    `mount --bind /dev/null "$(command -v ${tool})" && exec "$0" "$@"`
  ]

  it.scopedLive.skipIf(!isRoot)(
    "sees what is not installed, who needs it, and the package that has it",
    () =>
      Effect.gen(function*() {
        const site = yield* Site.make({
          service: {
            plain: Fx.service({ command: "sleep", args: ["60"] }),
            other: Fx.service({ command: "sleep", args: ["60"], user: "65534" }),
            teller: Fx.service({ command: "sleep", args: ["60"], readiness: "notify" }),
            "shut-in": Fx.service({ command: "sleep", args: ["60"], isolation: "namespace" }),
            light: Fx.service({ command: "sleep", args: ["60"], isolation: "sandbox", sandbox_runtime: "bubblewrap" }),
            boxed: Fx.service({ command: "sleep", args: ["60"], isolation: "sandbox" })
          }
        })
        const all = ["plain", "other", "teller", "shut-in", "light", "boxed"]
        const tools: ReadonlyArray<
          readonly [tool: string, about: string, services: ReadonlyArray<string>, parcel: string]
        > = [
          ["mkfifo", "logs", all, "coreutils"],
          ["setpriv", "other users", ["other"], "util-linux"],
          ["perl", "sd_notify", ["teller"], "perl-base"],
          ["bwrap", "namespaces", ["shut-in", "light"], "bubblewrap"],
          ["runsc", "gVisor", ["boxed"], "runsc"]
        ]
        for (const [tool, about, services, parcel] of tools) {
          const report = yield* examine(site, { via: without(tool) })
          const found = report.findings.find((finding) => finding.about === about)
          assert.deepInclude(found, { level: "error", services }, tool)
          assert.include(found?.mend, `apt-get install ${parcel}`)
        }
      })
  )

  it.scopedLive.skipIf(!isRoot)(
    "warns of what is isolated and runs as root all the same",
    () =>
      Effect.gen(function*() {
        const sleep = (keys: Fx.Table) => Fx.service({ command: "sleep", args: ["60"], ...keys })
        const site = yield* Site.make({
          service: {
            trusted: sleep({}),
            half: sleep({ isolation: "namespace" }),
            whole: sleep({ isolation: "namespace", user: "65534" }),
            light: sleep({ isolation: "sandbox", sandbox_runtime: "bubblewrap" }),
            boxed: sleep({ isolation: "sandbox" })
          }
        })
        const report = yield* examine(site)
        assert.deepStrictEqual(errorsOf(report), [])
        const found = report.findings.filter(({ about }) => about === "user")
        assert.deepStrictEqual(found.map(({ level, services }) => [level, ...services]), [["warning", "half", "light"]])
        assert.match((yield* site.cli("config", "check")).stderr, /warning: here, for half.* runs as root/)
      })
  )

  it.scopedLive.skipIf(!isRoot)("sees what cannot be limited, and who asks for it", () =>
    Effect.gen(function*() {
      const sleep = (limits: Fx.Table) => Fx.service({ command: "sleep", args: ["60"], ...limits })
      const site = yield* Site.make({
        service: {
          free: sleep({}),
          small: sleep({ memory_limit_mb: 100 }),
          slow: sleep({ cpu_shares: 10 }),
          few: sleep({ pids_limit: 10 })
        }
      })
      assert.deepStrictEqual(errorsOf(yield* examine(site)), [])
      const away = ["unshare", "--mount", "sh", "-c", `mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"`]
      const report = yield* examine(site, { via: away })
      assert.deepStrictEqual(errorsOf(report), [
        ["memory limits", "small"],
        ["CPU limits", "slow"],
        ["pids limits", "few"]
      ])
      assert.deepInclude(report.findings.find(({ about }) => about === "cgroups"), { level: "warning" })
    }))
})
