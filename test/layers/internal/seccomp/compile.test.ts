import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { spawnSync } from "node:child_process"
import { bytes, compile, type Instruction } from "../../../../src/layers/internal/seccomp/compile.ts"
import { type Arch, numbers } from "../../../../src/layers/internal/seccomp/numbers.ts"
import { type Policy, policy, type Verdict } from "../../../../src/layers/internal/seccomp/policy.ts"

/** A system call as a filter sees it: `struct seccomp_data`. */
interface Call {
  readonly arch: number
  readonly nr: number
  readonly args: ReadonlyArray<bigint>
}

const auditArch = { x64: 0xc000003e, arm64: 0xc00000b7 } as const

const ALLOW = 0x7fff0000
const EPERM = 0x00050001
const ENOSYS = 0x00050026
const KILL = 0x80000000

const decode = (program: Buffer): ReadonlyArray<Instruction> =>
  Array.from({ length: program.length / 8 }, (_, index) => ({
    code: program.readUInt16LE(8 * index),
    jt: program.readUInt8(8 * index + 2),
    jf: program.readUInt8(8 * index + 3),
    k: program.readUInt32LE(8 * index + 4)
  }))

/** The kernel's machine, for the instructions that filters are made of. */
const run = (program: ReadonlyArray<Instruction>, { arch, args, nr }: Call): number => {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(nr >>> 0, 0)
  data.writeUInt32LE(arch, 4)
  args.forEach((value, index) => data.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + 8 * index))
  let accumulator = 0
  for (let at = 0;; at++) {
    const instruction = program[at]
    if (instruction === undefined) throw new Error("it runs past its end")
    const { code, jf, jt, k } = instruction
    const jump = (holds: boolean) => at += holds ? jt : jf
    switch (code) {
      case 0x20:
        accumulator = data.readUInt32LE(k)
        break
      case 0x54:
        accumulator = (accumulator & k) >>> 0
        break
      case 0x05:
        at += k
        break
      case 0x15:
        jump(accumulator === k)
        break
      case 0x25:
        jump(accumulator > k)
        break
      case 0x35:
        jump(accumulator >= k)
        break
      case 0x45:
        jump((accumulator & k) !== 0)
        break
      case 0x06:
        return k >>> 0
      default:
        throw new Error(`unknown instruction ${code}`)
    }
  }
}

const low = (value: bigint | undefined): number => Number(BigInt.asUintN(32, value ?? 0n))

const judged = (verdict: Verdict, { args }: Call): number => {
  if (verdict === "allow") return ALLOW
  if (verdict === "unknown") return ENOSYS
  const value = low(args[verdict.argument])
  switch (verdict._tag) {
    case "Among":
      return verdict.values.includes(value) ? ALLOW : EPERM
    case "NotAmong":
      return verdict.values.includes(value) ? EPERM : ALLOW
    case "WithoutBits":
      return (value & verdict.mask) === 0 ? ALLOW : EPERM
  }
}

/** What a policy means, without any program. */
const meaning = (arch: Arch, policy: Policy, call: Call): number => {
  if (call.arch !== auditArch[arch]) return KILL
  const known = numbers(arch)
  if (call.nr >>> 0 > Math.max(...known.values())) return ENOSYS
  const [name] = [...known].find(([, number]) => number === call.nr) ?? []
  const verdict = name === undefined ? undefined : policy.get(name)
  return verdict === undefined ? EPERM : judged(verdict, call)
}

const interesting = [
  0n,
  1n,
  2n,
  8n,
  10n,
  16n,
  17n,
  38n,
  40n,
  0x5412n,
  0x541cn,
  0x20008n,
  0x40000n,
  0x10000000n,
  0xffffffffn
]

const argument = FastCheck.oneof(
  FastCheck.constantFrom(...interesting),
  FastCheck.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  // The kernel looks at the lower half alone: what is in the upper one must change nothing.
  FastCheck.constantFrom(...interesting).map((value) => value + (7n << 32n))
)

const capabilities = FastCheck.subarray(["CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_CHOWN"])

const calls = (arch: Arch): FastCheck.Arbitrary<Call> =>
  FastCheck.record({
    arch: FastCheck.oneof(
      { weight: 20, arbitrary: FastCheck.constant<number>(auditArch[arch]) },
      { weight: 1, arbitrary: FastCheck.constantFrom(0x40000003, 0xc000003e, 0xc00000b7, 0) }
    ),
    nr: FastCheck.oneof(
      FastCheck.integer({ min: 0, max: 500 }),
      FastCheck.constantFrom(...numbers(arch).values()),
      FastCheck.constantFrom(-1, 0x40000000, 0x40000001, 0x7fffffff, 512, 547)
    ),
    args: FastCheck.array(argument, { minLength: 6, maxLength: 6 })
  })

const arches: ReadonlyArray<Arch> = ["x64", "arm64"]

const blockedByDocker =
  `acct add_key bpf clock_settime create_module delete_module finit_module get_kernel_syms get_mempolicy
  init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind mount move_pages nfsservctl
  open_by_handle_at perf_event_open pivot_root process_vm_readv process_vm_writev ptrace query_module quotactl reboot
  request_key set_mempolicy setns settimeofday swapon swapoff sysfs _sysctl umount umount2 unshare uselib userfaultfd
  ustat vm86 vm86old io_uring_setup io_uring_enter io_uring_register`.split(/\s+/)

describe.each(arches)("the filter of system calls, %s", (arch) => {
  it("does what the policy says, for every call", () =>
    FastCheck.assert(
      FastCheck.property(capabilities, FastCheck.array(calls(arch), { minLength: 50, maxLength: 50 }), (held, made) => {
        const allowed = policy(held)
        const program = decode(bytes(compile(arch, allowed)))
        for (const call of made) {
          assert.strictEqual(run(program, call), meaning(arch, allowed, call), JSON.stringify(call, String))
        }
      }),
      { numRuns: 200 }
    ))

  it("fits the kernel, and every jump stays within it", () => {
    const program = compile(arch, policy([]))
    assert.isBelow(program.length, 4096)
    for (const [index, { code, jf, jt, k }] of program.entries()) {
      if (code === 0x06) continue
      for (const step of code === 0x05 ? [k] : [jt, jf]) assert.isBelow(index + 1 + step, program.length)
    }
  })

  it("names only what the processor has or has not, and none of what Docker refuses", () => {
    const allowed = policy([])
    const other = numbers(arch === "x64" ? "arm64" : "x64")
    for (const name of allowed.keys()) assert.isTrue(numbers(arch).has(name) || other.has(name), name)
    assert.deepStrictEqual(blockedByDocker.filter((name) => allowed.has(name)), [])
  })

  it("has the numbers that libseccomp has", () => {
    const script = `
import json, seccomp
def number(name):
    try:
        found = seccomp.resolve_syscall(seccomp.Arch.${arch === "x64" ? "X86_64" : "AARCH64"}, name)
    except Exception:
        return -1
    return found
names = json.loads(input())
print(json.dumps([number(name) for name in names]))`
    const names = [...numbers("x64").keys(), ...numbers("arm64").keys()]
    const { status, stderr, stdout } = spawnSync("/usr/bin/python3", ["-c", script], {
      input: JSON.stringify(names),
      encoding: "utf8"
    })
    assert.strictEqual(status, 0, stderr)
    const theirs = JSON.parse(stdout) as ReadonlyArray<number>
    const ours = numbers(arch)
    const newest = 447
    for (const [index, name] of names.entries()) {
      const number = ours.get(name) ?? -1
      // Those that are newer than the library.
      if (number <= newest) assert.strictEqual(number < 0, (theirs[index] ?? -1) < 0, name)
      if (number >= 0 && number <= newest) assert.strictEqual(number, theirs[index], name)
    }
  })
})

it("the filter decides as one that libseccomp makes of the same policy", () => {
  const script = `
import json, sys, seccomp
EPERM, ENOSYS = 1, 38
f = seccomp.SyscallFilter(seccomp.ERRNO(EPERM))
def add(action, name, *args):
    try:
        f.add_rule_exactly(action, name, *args)
    except (RuntimeError, ValueError, OSError, TypeError) as error:
        pass
A, M = seccomp.Arg, 0xffffffff
for name, verdict in json.loads(input()):
    if verdict == "allow": add(seccomp.ALLOW, name)
    elif verdict == "unknown": add(seccomp.ERRNO(ENOSYS), name)
    elif verdict["_tag"] == "Among":
        for value in verdict["values"]: add(seccomp.ALLOW, name, A(verdict["argument"], seccomp.MASKED_EQ, M, value))
    elif verdict["_tag"] == "WithoutBits":
        add(seccomp.ALLOW, name, A(verdict["argument"], seccomp.MASKED_EQ, verdict["mask"], 0))
f.export_bpf(sys.stdout)`
  const rules = [...policy([])].filter(([, verdict]) => typeof verdict === "string" || verdict._tag !== "NotAmong")
  const { status, stderr, stdout } = spawnSync("/usr/bin/python3", ["-c", script], { input: JSON.stringify(rules) })
  assert.strictEqual(status, 0, stderr.toString())
  const theirs = decode(stdout)
  const ours = decode(bytes(compile("x64", new Map(rules))))
  const newest = 447
  for (let nr = 0; nr <= newest; nr++) {
    for (const value of interesting) {
      const call = { arch: auditArch.x64, nr, args: [value, value, value, 0n, 0n, 0n] }
      assert.strictEqual(run(ours, call), run(theirs, call), `system call ${nr} with ${value}`)
    }
  }
})
