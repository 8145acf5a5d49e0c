import assert from 'node:assert/strict'

/** attacks.md 112 asks for 10 ms; a loaded machine gets more, a quadratic reading of 64 KB takes seconds. */
const MOST_MILLISECONDS = 60

/** From short to long: what takes exponential time must not be tried at full length. */
const LENGTHS = [16, 24, 40, 96, 512, 8_192, 65_536]

/** Asserts that a text made of these parts is read soon, however long it is, up to `longest` characters. */
export function readSoon(read: (text: string) => unknown, parts: Pumped, told: string, longest = 65_536): void {
  for (const length of LENGTHS.filter(one => one < longest)) soon(() => read(pumped(parts, length)), told)
  soon(() => read(pumped(parts, longest)), told)
}

/** The shortest of up to five times, because a busy machine only makes one longer. */
function soon(act: () => unknown, told: string): void {
  let shortest = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 5 && shortest > MOST_MILLISECONDS; attempt += 1) {
    const start = performance.now()
    act()
    shortest = Math.min(shortest, performance.now() - start)
  }
  assert.ok(shortest <= MOST_MILLISECONDS, `${told} took ${shortest.toFixed(0)} ms`)
}

/** So many characters: a beginning, one piece over and over, an end. */
function pumped({ head, pump, tail }: Pumped, length: number): string {
  const body = head + pump.repeat(Math.ceil(length / Math.max(1, pump.length)))
  return body.slice(0, Math.max(0, length - tail.length)) + tail.slice(0, length)
}

export type Pumped = { readonly head: string; readonly pump: string; readonly tail: string }
