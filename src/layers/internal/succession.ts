import * as Schema from "effect/Schema"

/** What tells the next supervisor the names of the listening sockets that it has inherited, from descriptor 3 on. */
export const variable = "TENEMENT_HANDOVER"

/** What the next supervisor tells the one that started it. */
export const FromSuccessor = Schema.Union(
  /** It has read its configuration, and all that has to be known before it may be given anything. */
  Schema.TaggedStruct("Ready", {
    version: Schema.String,
    /** What both must have in common. */
    settings: Schema.Struct({ data_dir: Schema.String, socket: Schema.String, listen: Schema.String })
  }),
  Schema.TaggedStruct("Failed", { message: Schema.String }),
  /** It has taken everything over. */
  Schema.TaggedStruct("InCharge", {})
)
export type FromSuccessor = typeof FromSuccessor.Type

/** What it is told: that it may begin, and which door a connection has come in by, which comes with it. */
export const FromPredecessor = Schema.Union(
  Schema.TaggedStruct("Yours", {}),
  Schema.TaggedStruct("Connection", { door: Schema.String })
)
export type FromPredecessor = typeof FromPredecessor.Type
