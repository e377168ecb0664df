/**
 * What a person at the command line can do about an error. The errors themselves tell facts, to programs too.
 *
 * @since 0.1.0
 */
import type { ActorLost, NoSuchInstance, NoSuchService } from "../actors/Errors.ts"
import type { ConfigNotFound } from "../config/Errors.ts"
import type { ConnectionLost, NoSupervisor, NotAllowed, UnexpectedAnswer } from "../control/Client.ts"

type Hinted =
  | ActorLost
  | ConfigNotFound
  | ConnectionLost
  | NoSuchInstance
  | NoSuchService
  | NoSupervisor
  | NotAllowed
  | UnexpectedAnswer

const hints: { readonly [Tag in Hinted["_tag"]]: (error: Extract<Hinted, { readonly _tag: Tag }>) => string | null } = {
  ActorLost: () => "see `tenement events`",
  ConfigNotFound: () => "`tenement init` writes a first one, `--config FILE` names another place",
  ConnectionLost: () => "`tenement ps` shows whether it is back",
  NoSuchInstance: ({ instance, nearest }) =>
    nearest === null ? `\`tenement ps\` lists those there are, \`tenement spawn ${instance}\` creates it` : null,
  NoSuchService: ({ nearest }) => nearest === null ? "`tenement config show` lists those there are" : null,
  NoSupervisor: () => "start one with `tenement serve`, or name its socket with --socket or TENEMENT_SOCKET",
  NotAllowed: ({ uid }) => `run this command as ${uid === 0 ? "root (sudo)" : "that user"}`,
  UnexpectedAnswer: () => "is it a supervisor of the same version?"
}

const isHinted = (error: { readonly _tag: string }): error is Hinted => Object.hasOwn(hints, error._tag)

/**
 * The error's message, and what can be done about it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const told = (error: { readonly _tag: string; readonly message: string }): string => {
  if (!isHinted(error)) return error.message
  const hint = (hints[error._tag] as (error: Hinted) => string | null)(error)
  return hint === null ? error.message : `${error.message}; ${hint}`
}
