/**
 * Tokens for the API over TCP. A token is told once, when it is made; the file keeps its hash.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"

/**
 * The name of a token, by which it is listed and revoked.
 *
 * @since 0.1.0
 * @category models
 */
export const TokenName = Schema.String.pipe(
  Schema.pattern(/^[a-z0-9][a-z0-9_-]{0,62}$/, {
    message: () => `a token's name must be 1 to 63 of a-z, 0-9, "_" and "-", beginning with a letter or a digit`
  }),
  Schema.brand("TokenName"),
  Schema.annotations({ identifier: "TokenName" })
)
/** @since 0.1.0 */
export type TokenName = typeof TokenName.Type

/**
 * There is one of that name.
 *
 * @since 0.1.0
 * @category errors
 */
export class TokenExists extends Schema.TaggedError<TokenExists>()("TokenExists", {
  name: TokenName
}) {
  override get message() {
    return `there is a token "${this.name}"; revoke it first (\`tenement token revoke ${this.name}\`), or take another name`
  }
}

/**
 * There is none of that name.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoSuchToken extends Schema.TaggedError<NoSuchToken>()("NoSuchToken", {
  name: TokenName
}) {
  override get message() {
    return `there is no token "${this.name}"; \`tenement token list\` shows those there are`
  }
}

/**
 * The file of tokens cannot be read or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class TokensFailed extends Schema.TaggedError<TokensFailed>()("TokensFailed", {
  path: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.problem}; run this as the user that the supervisor runs as`
  }
}

/**
 * A token as it is kept. `createdAt` is ISO 8601.
 *
 * @since 0.1.0
 * @category models
 */
export interface Token {
  readonly name: TokenName
  readonly hash: string
  readonly createdAt: string
}

// No service has a name with a dot: its instances' folders are beside this.
const fileOf = (dataDir: string): string => Path.join(dataDir, ".tokens")

const hashOf = (secret: string): string => Crypto.createHash("sha256").update(secret).digest("hex")

const line = /^([a-z0-9][a-z0-9_-]{0,62}) ([0-9a-f]{64}) (\S+)$/

const parse = (text: string): ReadonlyArray<Token> =>
  text.split("\n").flatMap((row) => {
    const [, name, hash, createdAt] = line.exec(row) ?? []
    return name === undefined || hash === undefined || createdAt === undefined
      ? []
      : [{ name: TokenName.make(name), hash, createdAt }]
  })

const read = (path: string): ReadonlyArray<Token> => Fs.existsSync(path) ? parse(Fs.readFileSync(path, "utf8")) : []

/** The whole file at once, so that nobody reads half of it. */
const write = (path: string, tokens: ReadonlyArray<Token>): void => {
  const next = `${path}.${process.pid}.new`
  Fs.mkdirSync(Path.dirname(path), { recursive: true, mode: 0o700 })
  const fd = Fs.openSync(next, "wx", 0o600)
  Fs.writeSync(fd, tokens.map(({ createdAt, hash, name }) => `${name} ${hash} ${createdAt}\n`).join(""))
  Fs.fsyncSync(fd)
  Fs.closeSync(fd)
  Fs.renameSync(next, path)
}

const using = <A>(path: string, call: () => A) =>
  Effect.try({
    try: call,
    catch: (error) => new TokensFailed({ path, problem: error instanceof Error ? error.message : String(error) })
  })

/**
 * Makes a token. This is the only moment at which it is known.
 *
 * @since 0.1.0
 * @category constructors
 */
export const create = Effect.fn("Tokens.create")(function*(dataDir: string, name: TokenName) {
  const path = fileOf(dataDir)
  const tokens = yield* using(path, () => read(path))
  if (tokens.some((token) => token.name === name)) return yield* new TokenExists({ name })
  const secret = `ten_${Crypto.randomBytes(32).toString("base64url")}`
  const createdAt = new Date(yield* Clock.currentTimeMillis).toISOString()
  yield* using(path, () => write(path, [...tokens, { name, hash: hashOf(secret), createdAt }]))
  return secret
})

/**
 * The tokens there are, oldest first.
 *
 * @since 0.1.0
 * @category combinators
 */
export const list = Effect.fn("Tokens.list")((dataDir: string) => {
  const path = fileOf(dataDir)
  return using(path, () => read(path))
})

/**
 * Takes a token back: requests with it are refused from now on.
 *
 * @since 0.1.0
 * @category combinators
 */
export const revoke = Effect.fn("Tokens.revoke")(function*(dataDir: string, name: TokenName) {
  const path = fileOf(dataDir)
  const tokens = yield* using(path, () => read(path))
  if (!tokens.some((token) => token.name === name)) return yield* new NoSuchToken({ name })
  yield* using(path, () => write(path, tokens.filter((token) => token.name !== name)))
})

/**
 * Tells whether a secret is one of the tokens of this folder, as the file is at that moment; it is read again only when
 * it changed. A file that cannot be read is logged and holds no token.
 *
 * @since 0.1.0
 * @category constructors
 */
export const verifier = (dataDir: string): (secret: string) => Effect.Effect<boolean> => {
  const path = fileOf(dataDir)
  let seen = ""
  let hashes: ReadonlyArray<Buffer> = []
  return (secret) =>
    using(path, () => {
      const stat = Fs.statSync(path, { bigint: true, throwIfNoEntry: false })
      const now = stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeNs}`
      if (now !== seen) hashes = read(path).map(({ hash }) => Buffer.from(hash, "hex"))
      seen = now
      const asked = Buffer.from(hashOf(secret), "hex")
      // All are compared, so that the time taken tells nothing of which one is near.
      return hashes.reduce((known, hash) => Crypto.timingSafeEqual(hash, asked) || known, false)
    }).pipe(Effect.catchAll((error) => Effect.as(Effect.logWarning(error.message), false)))
}
