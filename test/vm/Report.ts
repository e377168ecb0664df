/** What the virtual machine tells its host: a line of JSON each. */

/** A test that has ended, or a file that broke outside its tests. */
export interface Ended {
  readonly _tag: "Ended"
  readonly name: string
  readonly state: "passed" | "failed" | "skipped"
  readonly ms: number
  readonly errors: ReadonlyArray<string>
}

/** The machine is up. */
export interface Began {
  readonly _tag: "Began"
  readonly kernel: string
  /** Since the machine was turned on. */
  readonly ms: number
}

/** All of them have ended. */
export interface Done {
  readonly _tag: "Done"
}

export type Report = Began | Ended | Done
