const MINUTE = 60_000

/** Whether a word is due: once, and then not before a minute has passed. For a log that no flood must fill. */
export function onceAMinute(now: () => Date): (word: string) => boolean {
  const said = new Map<string, number>()
  return word => {
    const time = now().getTime()
    if (time - (said.get(word) ?? Number.NEGATIVE_INFINITY) < MINUTE) return false
    said.set(word, time)
    return true
  }
}
