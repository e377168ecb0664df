/**
 * Makes a socket that is bound listen. Node can do so only together with accepting from it, which is the program's to do.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { codeOf } from "../internal/errno.ts"
import { systemPath } from "../internal/systemPath.ts"
import { ToolFailed } from "./Errors.ts"

// By the numbers of F_GETFL, F_SETFL and O_NONBLOCK, which are those of every Linux that Node runs on. Node's sockets do not
// block; one that a program gets does, as systemd's do, whatever the run before has made of it. The kernel cuts the
// backlog to what it allows (net.core.somaxconn).
const program = String.raw`
my $flags = fcntl STDIN, 3, 0;
fcntl STDIN, 4, $flags & ~04000 and listen STDIN, 65535 or die "$!\n";
`

/**
 * The socket listens from then on, if it did not already. Whoever comes waits in its backlog until somebody accepts.
 *
 * @since 0.1.0
 * @category combinators
 */
export const listen = (fd: number): Effect.Effect<void, ToolFailed> =>
  Effect.async((resume) => {
    const fail = (code: string, detail: string) => resume(new ToolFailed({ program: "perl", code, detail }))
    const child = spawn("perl", ["-e", program], {
      env: { PATH: systemPath, LC_ALL: "C" },
      stdio: [fd, "ignore", "pipe"]
    })
    let said = ""
    child.stderr?.on("data", (text: Buffer) => said += text.toString())
    child.once("error", (error) => fail(codeOf(error), error.message))
    child.once("close", (code, signal) => code === 0 ? resume(Effect.void) : fail(String(code ?? signal), said.trim()))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })
