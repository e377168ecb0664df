/**
 * What the API itself answers when a request is not one that it can pass on. Every error crosses the wire as JSON with
 * a stable `_tag`, the fields of its class, and a `message` for people.
 *
 * @since 0.1.0
 */
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as Schema from "effect/Schema"

/**
 * One thing that is wrong, and where: the path of a field, a parameter of the query.
 *
 * @since 0.1.0
 * @category models
 */
export const RequestIssue = Schema.Struct({ at: Schema.String, message: Schema.String }).annotations({
  identifier: "RequestIssue"
})
/** @since 0.1.0 */
export type RequestIssue = typeof RequestIssue.Type

/**
 * The request is understood by its route, and what it says is not.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadRequest extends Schema.TaggedError<BadRequest>()("BadRequest", {
  issues: Schema.NonEmptyArray(RequestIssue)
}) {
  override get message() {
    return this.issues.map(({ at, message }) => (at === "" ? message : `${at}: ${message}`)).join("; ")
  }
}

/**
 * No token, or one that is not, or no longer, known.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {}) {
  override get message() {
    return "this needs a valid token: send `Authorization: Bearer TOKEN`; `tenement token create NAME` makes one"
  }
}

/**
 * The request names a host, or comes from a page, that is not this supervisor's.
 *
 * @since 0.1.0
 * @category errors
 */
export class ForeignHost extends Schema.TaggedError<ForeignHost>()("ForeignHost", {
  header: Schema.Literal("host", "origin"),
  /** What it says; empty where there is none. */
  value: Schema.String
}) {
  override get message() {
    return `the ${this.header} header says ${JSON.stringify(this.value)}, which is no name of this supervisor: ` +
      "use an address or localhost, or set `domain` in [settings] to the name of this machine"
  }
}

/**
 * Nothing is served at this path.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoSuchRoute extends Schema.TaggedError<NoSuchRoute>()("NoSuchRoute", {}) {
  override get message() {
    return "there is nothing at this path; GET /api/openapi.json lists what there is"
  }
}

/**
 * The path is served, and not with this method.
 *
 * @since 0.1.0
 * @category errors
 */
export class MethodNotAllowed extends Schema.TaggedError<MethodNotAllowed>()("MethodNotAllowed", {
  allowed: Schema.Array(Schema.String)
}) {
  override get message() {
    return `this path takes ${this.allowed.join(", ")}`
  }
}

/**
 * The body is larger than any request needs.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", {
  part: Schema.Literal("body", "target"),
  limit: Schema.Int
}) {
  override get message() {
    return `the request's ${this.part} is longer than ${this.limit} bytes`
  }
}

/**
 * The body is not JSON by its own account.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotJson extends Schema.TaggedError<NotJson>()("NotJson", {}) {
  override get message() {
    return "a body must be JSON: send `Content-Type: application/json`"
  }
}

/**
 * No other supervisor took the place of this one, which goes on as it was.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotReplaced extends Schema.TaggedError<NotReplaced>()("NotReplaced", { reason: Schema.String }) {
  override get message() {
    return `the supervisor goes on as it was: ${this.reason}`
  }
}

/**
 * A defect: a bug of tenement, told in full in its own log and nowhere else.
 *
 * @since 0.1.0
 * @category errors
 */
export class InternalError extends Schema.TaggedError<InternalError>()("InternalError", {}) {
  override get message() {
    return "this is a defect in tenement; its log has the details, and everything else goes on"
  }
}

/**
 * An error class as it crosses the wire: the class's fields plus the message, under this status.
 *
 * @since 0.1.0
 * @category combinators
 */
export const onWire = <Self extends Error, Tag extends string, Fields extends Schema.Struct.Fields>(
  error: Schema.TaggedErrorClass<Self, Tag, Fields>,
  status: number
) =>
  Schema.transform(
    Schema.Struct({ ...error.fields, message: Schema.String }).annotations({ identifier: error._tag }),
    Schema.typeSchema(error),
    {
      strict: false,
      // The fields are the class's own, which a generic signature cannot say.
      decode: (fields) => new error(fields as never),
      encode: (_, self) => ({ ...self, message: self.message })
    }
  ).annotations(HttpApiSchema.annotations({ status }))
