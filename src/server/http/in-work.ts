/** A bounded number of places, which those who hold many leave to those who hold few. */
export type InWork = {
  readonly held: () => number
  /** Whether a place is free for all of these holders. */
  readonly fits: (holders: readonly Holder[]) => boolean
  /** Takes a place. @returns what gives it back: once is enough, more is harmless; undefined where none is free */
  readonly enter: (holders: readonly Holder[]) => (() => void) | undefined
}

/** Who holds places, and up to how many times as many as are free now. */
export type Holder = { readonly name: string; readonly share: number }

/** Whoever holds fewer is let in as long as there are places at all. */
const FEW = 8

/**
 * Each holder may have so many times the places that are free (dynamic thresholds, as switches share a buffer): one alone
 * gets most of them, and however few flood, what is left is for those who hold less. `places` may be fewer than `most`
 * for a while; who holds few does not feel it.
 */
export function createInWork(most: number, places: () => number = () => most): InWork {
  const holding = new Map<string, number>()
  let held = 0

  function fits(holders: readonly Holder[]): boolean {
    const free = places() - held
    return held < most && holders.every(({ name, share }) => (holding.get(name) ?? 0) < Math.max(FEW, share * free))
  }

  function enter(holders: readonly Holder[]): (() => void) | undefined {
    if (!fits(holders)) return undefined
    held += 1
    for (const { name } of holders) holding.set(name, (holding.get(name) ?? 0) + 1)
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      held -= 1
      for (const { name } of holders) {
        const left = (holding.get(name) ?? 1) - 1
        if (left === 0) holding.delete(name)
        else holding.set(name, left)
      }
    }
  }

  return { held: () => held, fits, enter }
}
