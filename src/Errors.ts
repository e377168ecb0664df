/**
 * Everything that the library fails with, by its own name.
 *
 * @since 0.1.0
 */

export * from "./actors/Errors.ts"
export { GaveUp } from "./actors/Supervisor.ts"
export { ConfigNotFound } from "./config/Errors.ts"
export { ConnectionLost, NoSupervisor, NotAllowed, UnexpectedAnswer, type Unreachable } from "./control/Client.ts"
export {
  BadRequest,
  ForeignHost,
  InternalError,
  MethodNotAllowed,
  NoSuchRoute,
  NotJson,
  RequestIssue,
  TooLarge,
  Unauthorized
} from "./control/Errors.ts"
export * from "./domain/Errors.ts"
export * from "./layers/Errors.ts"
export { AlreadyRunning, LockFailed } from "./layers/Lock.ts"
