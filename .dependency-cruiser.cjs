// The arrows between the rooms of src/, as docs/architecture.md draws them:
//
//   domain <- layers <- actors <- control, gateway <- cli <- bin; all but domain may see internal
//
// `config` is seen by control, cli, the daemon and the library's index; `testkit` by tests and users only.

const outside = (rooms) => `^src/(${rooms.join("|")})`

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "A cycle means that two files are one concept, or that one of them holds two.",
      severity: "error",
      from: {},
      to: { circular: true }
    },
    {
      name: "domain-calls-nobody",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { path: "^src/", pathNot: "^src/domain/" }
    },
    {
      name: "domain-is-pure",
      comment: "No clock, no I/O: domain sees effect's data modules, pure functions and itself.",
      severity: "error",
      from: { path: "^src/domain/" },
      to: {
        pathNot: [
          "^src/domain/",
          "node_modules/effect/dist/dts/[^/]+\\.d\\.ts$",
          "node_modules/effect/dist/esm/[^/]+\\.js$",
          "node_modules/fastest-levenshtein/",
          "^(node:)?path/posix$"
        ]
      }
    },
    {
      name: "domain-runs-nothing",
      comment: "The modules of effect that run, wait, or keep state have no place in a pure core.",
      severity: "error",
      from: { path: "^src/domain/" },
      to: {
        path:
          "node_modules/effect/dist/(dts|esm)/(Effect|Runtime|ManagedRuntime|Fiber[A-Za-z]*|Layer[A-Za-z]*|Scope[A-Za-z]*"
          + "|(Synchronized|Subscription|Scoped|Rc)?Ref|Queue|Mailbox|PubSub|Deferred|Clock|Random|Stream|Channel|Sink|Console|Logger"
          + "|TestClock|TestContext|STM|T[A-Z][A-Za-z]*)\\.(d\\.ts|js)$"
      }
    },
    {
      name: "config-sees-domain",
      severity: "error",
      from: { path: "^src/config/" },
      to: { path: "^src/", pathNot: "^src/(config|domain)/" }
    },
    {
      name: "config-is-seen-by-doors",
      comment: "Actors and layers work on domain's types; how a file is written is not their business.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(config|control|cli)/|^src/(index|Errors|daemon|embed)\\.ts$" },
      to: { path: "^src/config/" }
    },
    {
      name: "internal-calls-nobody",
      comment: "What any room may need, and no room owns.",
      severity: "error",
      from: { path: "^src/internal/" },
      to: { path: "^src/", pathNot: "^src/internal/" }
    },
    {
      name: "a-room-keeps-its-internals",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/layers/" },
      to: { path: "^src/layers/internal/" }
    },
    {
      name: "layers-below-actors",
      severity: "error",
      from: { path: "^src/layers/" },
      to: { path: "^src/", pathNot: "^src/(layers|domain|internal)/" }
    },
    {
      name: "actors-below-doors",
      severity: "error",
      from: { path: "^src/actors/" },
      to: { path: "^src/", pathNot: "^src/(actors|layers|domain|internal)/" }
    },
    {
      name: "control-below-cli",
      severity: "error",
      from: { path: "^src/control/" },
      to: { path: outside(["gateway/", "cli/", "testkit/", "bin\\.ts", "daemon\\.ts", "index\\.ts"]) }
    },
    {
      name: "gateway-below-cli",
      severity: "error",
      from: { path: "^src/gateway/" },
      to: { path: outside(["control/", "cli/", "testkit/", "bin\\.ts", "daemon\\.ts", "index\\.ts"]) }
    },
    {
      name: "daemon-wires-no-cli",
      severity: "error",
      from: { path: "^src/daemon\\.ts$" },
      to: { path: outside(["cli/", "testkit/", "bin\\.ts", "index\\.ts"]) }
    },
    {
      name: "client-stays-small",
      comment:
        "The command line loads the daemon, actors, layers and the gateway only when a command asks: by import().",
      severity: "error",
      from: { path: "^src/(cli/|bin\\.ts$|control/(Client|Api|Queries|Errors|Sse)\\.ts$)" },
      to: {
        path: outside(["actors/", "layers/", "gateway/", "daemon\\.ts"]),
        pathNot: "^src/(actors|layers|gateway)/Errors\\.ts$",
        dependencyTypesNot: ["dynamic-import", "type-only"]
      }
    },
    {
      name: "bin-hands-over-to-cli",
      severity: "error",
      from: { path: "^src/(bin|serve)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/(cli/|daemon\\.ts$)" }
    },
    {
      name: "nobody-calls-bin-or-index",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/testkit/" },
      to: { path: "^src/(bin|serve|index)\\.ts$" }
    },
    {
      name: "library-has-no-cli",
      severity: "error",
      from: { path: "^src/index\\.ts$" },
      to: { path: outside(["cli/", "testkit/", "bin\\.ts", "daemon\\.ts"]) }
    },
    {
      name: "testkit-stands-apart",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/testkit/" },
      to: { path: "^src/testkit/" }
    },
    {
      name: "testkit-has-no-cli",
      severity: "error",
      from: { path: "^src/testkit/" },
      to: { path: outside(["cli/", "bin\\.ts", "daemon\\.ts"]) }
    },
    {
      name: "spawn-in-one-place",
      comment: "Only the launcher starts processes.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/layers/Launcher" },
      to: { path: "^(node:)?child_process$" }
    },
    {
      name: "no-barrel",
      comment: "Deep imports only: a barrel costs a second of start-up unbundled.",
      severity: "error",
      from: { path: "^(src|examples)/" },
      to: { path: "node_modules/(effect|@effect/[^/]+)/dist/(dts|esm|cjs)/index\\." }
    },
    {
      name: "nothing-unresolvable",
      severity: "error",
      from: { path: "^(src|test|scripts|bench)/" },
      to: { couldNotResolve: true }
    },
    {
      name: "no-dev-dependency-in-the-library",
      comment: "Whoever installs the library has what it depends on, and its peers. The executable is bundled.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli/|(bin|serve|daemon)\\.ts$)" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["npm-peer", "type-only"] }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "types", "default"],
      extensions: [".ts", ".js", ".mjs", ".cjs"]
    }
  }
}
