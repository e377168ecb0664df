// What is lost of a log when the supervisor is killed: one line each millisecond, many kills.
//
//     node bench/log-kills.mjs
//     node bench/log-kills.mjs --kills 200 --down 500
//
// The service prints numbers; they are compared with what `logs --raw` tells at the end.
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    down: { type: "string", default: "300" },
    program: { type: "string", default: fileURLToPath(new URL("../dist/tenement.js", import.meta.url)) }
  }
})
const [kills, down] = [Number(values.kills), Number(values.down)]

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tenement-kills-"))
const config = path.join(folder, "tenement.toml")
const socket = path.join(folder, "control.sock")
const done = path.join(folder, "done")
// Each line in one write; it notes the longest that a write took.
const program = `
  use Time::HiRes qw(time sleep); my ($i, $next, $longest) = (0, time, 0);
  until (-e "${folder}/stop") {
    my $begin = time; syswrite(STDOUT, ++$i . "\\n"); my $took = time - $begin;
    $longest = $took if $took > $longest; $next += 0.001; my $left = $next - time; sleep($left) if $left > 0;
  }
  open(my $f, ">", "${done}.new"); print $f "$i $longest"; close $f; rename("${done}.new", "${done}"); sleep 1000`
fs.writeFileSync(
  config,
  `[settings]
data_dir = "${folder}/state"
socket = "${socket}"
listen = "off"
log_max_mb = 100
[service.count]
command = "perl"
args = ["-e", ${JSON.stringify(program)}]
isolation = "process"
`
)
const environment = { ...process.env, TENEMENT_CONFIG: config, TENEMENT_SOCKET: socket }

const answers = () =>
  new Promise((resolve) => {
    const connection = net.connect(socket, () => (connection.destroy(), resolve(true)))
    connection.once("error", () => resolve(false))
  })
const start = async () => {
  const child = spawn(process.execPath, [values.program, "serve"], { env: environment, stdio: "ignore" })
  while (!(await answers())) await sleep(5)
  return child
}
const end = (child, signal) =>
  new Promise((resolve) => {
    child.once("exit", resolve)
    child.kill(signal)
  })
const told = () => {
  const { stdout } = spawnSync(process.execPath, [values.program, "logs", "--raw"], {
    env: environment,
    encoding: "latin1",
    maxBuffer: 2 ** 30
  })
  return stdout.split("\n").filter((line) => line !== "").map(Number)
}

let child = await start()
try {
  for (let kill = 0; kill < kills; kill++) {
    await sleep(400 + 600 * Math.random())
    await end(child, "SIGKILL")
    await sleep(down)
    child = await start()
  }
  await sleep(1000)
  fs.writeFileSync(path.join(folder, "stop"), "")
  while (!fs.existsSync(done)) await sleep(20)
  await sleep(300)
  const [printed, longest] = fs.readFileSync(done, "latin1").split(" ").map(Number)
  const lines = told()
  const seen = new Set(lines)
  const missing = Array.from({ length: printed }, (_, i) => i + 1).filter((number) => !seen.has(number))
  const ranges = missing.filter((number, i) => number !== missing[i - 1] + 1)
    .map((first) => {
      let last = first
      while (last < printed && !seen.has(last + 1)) last++
      return `${first}-${last}`
    })
  const isOrdered = lines.every((number, i) => i === 0 || number > lines[i - 1])
  console.log(
    `${kills} kills, ${printed} lines: ${missing.length} lost (${ranges.slice(0, 20).join(", ")}), ` +
      `${lines.length - seen.size} twice, ${isOrdered ? "in order" : "OUT OF ORDER"}; ` +
      `the longest write took ${(longest * 1000).toFixed(0)} ms`
  )
} finally {
  await end(child, "SIGTERM")
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
