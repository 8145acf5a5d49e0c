/** How many places a kind of work has, by how long the work takes. */
export type Pace = {
  readonly places: () => number
  /** Work that was done began then. */
  readonly done: (began: number) => void
}

export type PaceLimits = { readonly most: number; readonly least: number; readonly milliseconds: number }

/** Judged so often: long enough for some work to be done, short enough to follow a flood. */
const INTERVAL = 100

/**
 * Fewer places while work takes longer than `milliseconds` on average, more again when it does not. By Little's law as
 * many as are done in that time: a constant would be right on one machine only. `now` in milliseconds.
 */
export function createPace({ most, least, milliseconds }: PaceLimits, now: () => number): Pace {
  let places = most
  let since = now()
  let took = 0
  let count = 0
  return {
    places: () => places,
    done(began) {
      const time = now()
      took += time - began
      count += 1
      if (time - since < INTERVAL) return
      places = nextPlaces(places, { most, least, milliseconds }, took / count)
      since = time
      took = 0
      count = 0
    },
  }
}

/** At most half as many at once, so that one slow moment does not shut the door; back by a tenth. */
export function nextPlaces(places: number, { most, least, milliseconds }: PaceLimits, mean: number): number {
  const next = mean > milliseconds ? places * Math.max(0.5, milliseconds / mean) : places * 1.1 + 1
  return Math.min(most, Math.max(least, Math.floor(next)))
}
