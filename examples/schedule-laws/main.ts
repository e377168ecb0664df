// Two backoffs under the laws that every backoff must keep. One of them breaks a law, and the smallest history that
// shows it is printed.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Laws } from "tenement/testkit"

// From 100 ms, doubled each time up to 5 s, a fifth more or less.
const careful = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.jittered
)
// The same, but somebody forgot the cap.
const careless = Schedule.jittered(Schedule.exponential("100 millis"))

const judge = (name: string, schedule: Schedule.Schedule<unknown>) =>
  Laws.schedule({ schedule, min: "80 millis", max: "6 seconds" }).pipe(
    Effect.matchEffect({
      onFailure: ({ message }) => Console.log(`${name}: ${message}`),
      onSuccess: () => Console.log(`${name}: keeps every law`)
    })
  )

NodeRuntime.runMain(Effect.zipRight(judge("careful", careful), judge("careless", careless)))
